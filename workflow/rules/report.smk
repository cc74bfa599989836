"""Records, tables, figures and the metrics that DVC shows.

In: scores, measurements and runs. Out: results/{suite}/records/, results/tables/, results/figures/, results/report.html, results/metrics.json.
Steps: records, table, overhead_table, figure, report, metrics; all take seconds, and run where Snakemake itself runs.
"""


localrules:
    write_config,
    records,
    table,
    overhead_table,
    figure,
    report,
    metrics,


rule records:
    """Collect all scores of a table, a row a score."""
    input:
        scores=if_due("records", table_scores),
    output:
        records="results/{suite}/records/{table}.csv",
        sidecar="results/{suite}/records/{table}.json",
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
    shell:
        "dcac --log {log:q} records {params.scores:q} --out {output.records:q}"


rule table:
    """Write a table as Markdown, HTML, LaTeX and CSV; the JSON file beside them says what it was made from."""
    input:
        records=if_due("table", table_records),
    output:
        md="results/tables/{table}.md",
        html=report(
            "results/tables/{table}.html", caption="../report/table.rst", category="2. Tables", labels=table_labels
        ),
        tex="results/tables/{table}.tex",
        csv="results/tables/{table}.csv",
        record="results/tables/{table}.json",
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
        records=table_records,
        published="config/published.csv",
        accepted=accepted_option,
    shell:
        "dcac --log {log:q} table {wildcards.table:q} {params.records:q}"
        " --suite {params.suite:q}"
        " --published {params.published:q}"
        " {params.accepted:q}"
        " --out {output.md:q} --out {output.html:q} --out {output.tex:q} --out {output.csv:q} --out {output.record:q}"


rule overhead_table:
    """Write a table of what training costs as Markdown, HTML, LaTeX and CSV."""
    input:
        measurements=if_due("table", table_overheads),
    output:
        md="results/tables/{table}.md",
        html=report(
            "results/tables/{table}.html", caption="../report/overhead.rst", category="2. Tables", labels=table_labels
        ),
        tex="results/tables/{table}.tex",
        csv="results/tables/{table}.csv",
        record="results/tables/{table}.json",
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
        measurements=table_overheads,
    shell:
        "dcac --log {log:q} overhead_table {wildcards.table:q} {params.measurements:q}"
        " --suite {params.suite:q}"
        " --out {output.md:q} --out {output.html:q} --out {output.tex:q} --out {output.csv:q} --out {output.record:q}"


rule figure:
    """Draw a figure as PDF and PNG; the JSON file beside them says what it was drawn from."""
    input:
        files=if_due("figure", figure_inputs),
    output:
        pdf="results/figures/{figure}.pdf",
        png=report(
            "results/figures/{figure}.png", caption="../report/figure.rst", category="3. Figures", labels=figure_labels
        ),
        record="results/figures/{figure}.json",
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
        files=figure_inputs,
    shell:
        "dcac --log {log:q} figure {wildcards.figure:q} {params.files:q}"
        " --suite {params.suite:q}"
        " --out {output.pdf:q} --out {output.png:q} --out {output.record:q}"


rule report:
    """Write the suite on one page: tables, what stands behind each number, training, data, what is missing."""
    input:
        files=if_due("report", report_inputs),
    output:
        page=report(
            "results/report.html",
            caption="../report/page.rst",
            category="1. The suite on one page",
            labels={"title": SUITE.title},
        ),
        record="results/report.json",
    log:
        "results/logs/report.log",
    benchmark:
        "results/benchmarks/report.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        suite=PLAN.project.suite,
        files=report_inputs,
        published="config/published.csv",
        words=report_words,
    shell:
        "dcac --log {log:q} report {params.files:q}"
        " --suite {params.suite:q}"
        " --published {params.published:q}"
        " {params.words:q}"
        " --out {output.page:q} --out {output.record:q}"


rule metrics:
    """Write the headline numbers for `dvc metrics show`."""
    input:
        records=if_due("metrics", all_records),
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
        records=all_records,
    shell:
        "dcac --log {log:q} metrics {params.records:q} --out {output.metrics:q}"
