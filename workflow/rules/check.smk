rule check:
    log:
        "results/logs/check.log",
    conda:
        "../../envs/tamflux.yaml"
    params:
        config=config,
    message:
        "checking the configuration and every input file"
    script:
        "../scripts/check_inputs.py"


rule verify:
    log:
        "results/logs/verify.log",
    conda:
        "../../envs/tamflux.yaml"
    message:
        "comparing every result with its checksums"
    script:
        "../scripts/verify_results.py"
