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
