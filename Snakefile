# The workflow, where plain `snakemake` finds it; it lies in workflow/, where other repositories look for it.
include: "workflow/Snakefile"


workflow.default_target = "all"  # Snakemake forgets the one that an included file names
