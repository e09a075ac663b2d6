from tamflux.logs import job_log

with job_log(snakemake.log[0], "check inputs") as log:
    from tamflux.check import WRONG, check_inputs, render

    rows = check_inputs(snakemake.params.config)
    wrong = sum(row["verdict"] == WRONG for row in rows)
    said = render(rows)
    said += f"\n\n{wrong} problems that would stop the run" if wrong else "\n\nready to run"
    if any("(rule download_" in row["problem"] for row in rows):
        said += "\nwhat a rule can fetch: snakemake --cores 2 download, with this configuration"
    print(said)
with open(snakemake.log[0], "a") as file:
    file.write(f"\n{said}\n")
if wrong:
    raise SystemExit(1)
