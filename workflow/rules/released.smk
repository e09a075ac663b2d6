# A released model in place of training and calibration; and the release of a model.
from tamflux.extra_predictors import PREFIX

if RELEASED:

    rule adopt_model:
        output:
            members=[
                f"results/models/tamrl_{member}.safetensors"
                for member in MEMBERS["tamrl"]
            ],
            calibration="results/models/calibration.json",
            feature_space="results/models/tamrl_feature_space.safetensors",
            card="results/models/model_card.md",
        log:
            "results/logs/released/adopt_model.log",
        benchmark:
            "results/benchmarks/released/adopt_model.tsv"
        resources:
            mem_mb=500,
        params:
            folder=config["inference"]["model"],
            state=state_of(released_files),
            variables=CUBE_VARIABLES,
            extra_statics=[f"{PREFIX}{name}" for name in STATIC],
            code=code_of("adopt_model"),
        message:
            "checking and copying the released model {params.folder}"
        script:
            "../scripts/adopt_model.py"

else:
    AT_TOWERS = bool(config["real_towers"])  # trained on a site table, else on cubes

    rule release_model:
        input:
            **(
                {
                    "calibration": "results/real_towers/calibration.json",
                    "feature_space": "results/real_towers/feature_space.safetensors",
                    "sites": "results/real_towers/folds_sites.csv",
                    "scores": "results/real_towers/summary.csv",
                    "correction": "results/real_towers/correction.json",
                }
                if AT_TOWERS
                else {
                    "calibration": "results/models/calibration.json",
                    "feature_space": "results/models/tamrl_feature_space.safetensors",
                    "sites": "results/samples/sites.csv",
                    "towers": "results/towers/sites.csv",
                    "scores": "results/validation/scores.csv",
                }
            ),
            members=expand(
                (
                    "results/real_towers/models/all_{member}.safetensors"
                    if AT_TOWERS
                    else "results/models/tamrl_{member}.safetensors"
                ),
                member=MEMBERS["tamrl"],
            ),
            template=of_source("src/tamflux/report/templates/released_model.md.j2"),
        output:
            folder=directory("models/{name}"),
        log:
            "results/logs/released/release_model_{name}.log",
        benchmark:
            "results/benchmarks/released/release_model_{name}.tsv"
        wildcard_constraints:
            name=r"[A-Za-z0-9][A-Za-z0-9._-]*",
        resources:
            mem_mb=1000,
        params:
            name=lambda wc: wc.name,
            network=REAL_TOWERS["network"],
            demo=bool(TRUTH and not AT_TOWERS),
            code=code_of("release_model"),
        message:
            "writing the model to {output.folder}"
        script:
            "../scripts/release_model.py"
