"""Records, tables, figures and the metrics that DVC shows."""


rule records:
    """Collect all scores of a table, a row a score."""
    input:
        scores=in_full("results/{suite}/records/{table}.csv", table_scores),
    output:
        records="results/{suite}/records/{table}.csv",
    log:
        "results/logs/records/{suite}-{table}.log",
    benchmark:
        "results/benchmarks/records/{suite}-{table}.tsv"
    wildcard_constraints:
        table=PLAN.pattern(PLAN.tables("scores")),
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        scores=table_scores,
        code=fingerprint("records"),
    shell:
        "dcac records {input.scores:q} --out {output.records:q} >> {log:q} 2>&1"


rule table:
    """Write a table as Markdown, LaTeX and CSV."""
    input:
        records=expand("results/{suite}/records/{{table}}.csv", suite=PLAN.project.suite),
        published="config/published.csv",
    output:
        md=report("results/tables/{table}.md", caption="../report/table.rst", category="Tables"),
        tex="results/tables/{table}.tex",
        csv="results/tables/{table}.csv",
    log:
        "results/logs/table/{table}.log",
    benchmark:
        "results/benchmarks/table/{table}.tsv"
    wildcard_constraints:
        table=PLAN.pattern(PLAN.tables("scores")),
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        suite=PLAN.project.suite,
        printed=SUITE.model_dump_json(),  # all that a page may print
        labels=PLAN.labels,
        code=fingerprint("table"),
    shell:
        "dcac table {wildcards.table:q}"
        " --suite {params.suite:q}"
        " --records {input.records:q}"
        " --published {input.published:q}"
        " --out {output.md:q} --out {output.tex:q} --out {output.csv:q} >> {log:q} 2>&1"


rule overhead_table:
    """Write a table of what training costs as Markdown, LaTeX and CSV."""
    input:
        measurements=in_full("results/tables/{table}.csv", table_overheads),
    output:
        md=report("results/tables/{table}.md", caption="../report/overhead.rst", category="Tables"),
        tex="results/tables/{table}.tex",
        csv="results/tables/{table}.csv",
    log:
        "results/logs/overhead_table/{table}.log",
    benchmark:
        "results/benchmarks/overhead_table/{table}.tsv"
    wildcard_constraints:
        table=PLAN.pattern(PLAN.tables("overhead")),
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        suite=PLAN.project.suite,
        printed=SUITE.model_dump_json(),
        labels=PLAN.labels,
        measurements=table_overheads,
        code=fingerprint("overhead_table"),
    shell:
        "dcac overhead_table {wildcards.table:q} {input.measurements:q}"
        " --suite {params.suite:q}"
        " --out {output.md:q} --out {output.tex:q} --out {output.csv:q} >> {log:q} 2>&1"


rule figure:
    """Draw a figure as PDF and PNG."""
    input:
        files=in_full("results/figures/{figure}.pdf", figure_inputs),
    output:
        pdf="results/figures/{figure}.pdf",
        png=report("results/figures/{figure}.png", caption="../report/figure.rst", category="Figures"),
    log:
        "results/logs/figure/{figure}.log",
    benchmark:
        "results/benchmarks/figure/{figure}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        suite=PLAN.project.suite,
        printed=SUITE.model_dump_json(),
        labels=PLAN.labels,
        files=figure_inputs,
        code=fingerprint("figure"),
    shell:
        "dcac figure {wildcards.figure:q} {input.files:q}"
        " --suite {params.suite:q}"
        " --out {output.pdf:q} --out {output.png:q} >> {log:q} 2>&1"


rule metrics:
    """Write the headline numbers for `dvc metrics show`."""
    input:
        records=all_records(),
    output:
        metrics="results/metrics.json",
    log:
        "results/logs/metrics.log",
    benchmark:
        "results/benchmarks/metrics.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        suite=PLAN.project.suite,
        tables=all_records(),
        code=fingerprint("metrics"),
    shell:
        "dcac metrics {input.records:q} --out {output.metrics:q} >> {log:q} 2>&1"
