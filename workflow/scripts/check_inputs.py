from tamflux.logs import job_log

with job_log(snakemake.log[0], "check inputs"):
    import pandas as pd

    from tamflux.check import WRONG, check_inputs

    table = pd.DataFrame(check_inputs(snakemake.params.config))
    print(table.to_string(index=False, justify="left", max_colwidth=None))
    wrong = int((table["verdict"] == WRONG).sum())
    print(f"\n{wrong} problems that would stop the run" if wrong else "\nready to run")
    if table["problem"].str.contains("(rule download_", regex=False).any():
        print("what a rule can fetch: snakemake --cores 2 download, with this configuration")
if wrong:
    raise SystemExit(1)
