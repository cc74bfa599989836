# From archives of person images to the tables of a domain-generalisation paper. The map is in README.md.
from snakemake.utils import min_version

min_version("9.0")


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/weights.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"


onstart:
    if not PLAN.runnable:
        raise WorkflowError(" ".join(PLAN.notices))
    if not workflow.local_exec:
        cluster.follow_jobs()


rule all:
    """Every table and figure of the active suite, but for those made on demand."""
    default_target: True
    input:
        outputs(on_demand=False),
        "results/metrics.json",


rule on_demand:
    """The tables and figures that the suite makes when they are asked for."""
    input:
        outputs(on_demand=True),
