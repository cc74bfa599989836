"""Records, tables, figures and the metrics that DVC shows.

In: scores, measurements and runs. Out: results/{suite}/records/, tables/, figures/, report.html, metrics.json;
copies of the active suite's in results/tables/, results/figures/, results/report.html and results/metrics.json.
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
    show_table,
    show_figure,
    show_report,
    show_metrics,


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
        LIGHT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        scores=at(table_scores),
    shell:
        "python -m dcac --log {log:q} records {params.scores:q} --out {output.records:q}"


rule table:
    """Write a table as Markdown, HTML, LaTeX and CSV; the JSON file beside them says what it was made from."""
    input:
        records=if_due("table", table_records),
        accepted=if_due("table", accepted_runs),
    output:
        md="results/{suite}/tables/{table}.md",
        html=report(
            "results/{suite}/tables/{table}.html",
            caption="../report/table.rst",
            category="2. Tables",
            labels=table_labels,
        ),
        tex="results/{suite}/tables/{table}.tex",
        csv="results/{suite}/tables/{table}.csv",
        record="results/{suite}/tables/{table}.json",
    log:
        "results/logs/table/{suite}-{table}.log",
    benchmark:
        "results/benchmarks/table/{suite}-{table}.tsv"
    wildcard_constraints:
        table=PLAN.pattern(PLAN.tables("scores")),
    conda:
        LIGHT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        records=at(table_records),
        published="config/published.csv",
        accepted=at(accepted_option),
    shell:
        "python -m dcac --log {log:q} table {wildcards.table:q} {params.records:q}"
        " --suite {wildcards.suite:q}"
        " --published {params.published:q}"
        " {params.accepted:q}"
        " --out {output.md:q} --out {output.html:q} --out {output.tex:q} --out {output.csv:q} --out {output.record:q}"


rule overhead_table:
    """Write a table of what training costs as Markdown, HTML, LaTeX and CSV."""
    input:
        measurements=if_due("table", table_overheads),
    output:
        md="results/{suite}/tables/{table}.md",
        html=report(
            "results/{suite}/tables/{table}.html",
            caption="../report/overhead.rst",
            category="2. Tables",
            labels=table_labels,
        ),
        tex="results/{suite}/tables/{table}.tex",
        csv="results/{suite}/tables/{table}.csv",
        record="results/{suite}/tables/{table}.json",
    log:
        "results/logs/overhead_table/{suite}-{table}.log",
    benchmark:
        "results/benchmarks/overhead_table/{suite}-{table}.tsv"
    wildcard_constraints:
        table=PLAN.pattern(PLAN.tables("overhead")),
    conda:
        LIGHT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        measurements=at(table_overheads),
    shell:
        "python -m dcac --log {log:q} overhead_table {wildcards.table:q} {params.measurements:q}"
        " --suite {wildcards.suite:q}"
        " --out {output.md:q} --out {output.html:q} --out {output.tex:q} --out {output.csv:q} --out {output.record:q}"


rule figure:
    """Draw a figure as PDF, SVG and PNG; the JSON file beside them says what it was drawn from."""
    input:
        files=if_due("figure", figure_inputs),
    output:
        pdf="results/{suite}/figures/{figure}.pdf",
        svg="results/{suite}/figures/{figure}.svg",
        png=report(
            "results/{suite}/figures/{figure}.png",
            caption="../report/figure.rst",
            category="3. Figures",
            labels=figure_labels,
        ),
        record="results/{suite}/figures/{figure}.json",
    log:
        "results/logs/figure/{suite}-{figure}.log",
    benchmark:
        "results/benchmarks/figure/{suite}-{figure}.tsv"
    conda:
        LIGHT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        files=at(figure_inputs),
    shell:
        "python -m dcac --log {log:q} figure {wildcards.figure:q} {params.files:q}"
        " --suite {wildcards.suite:q}"
        " --out {output.pdf:q} --out {output.svg:q} --out {output.png:q} --out {output.record:q}"


rule report:
    """Write the suite on one page: tables, what stands behind each number, training, data, what is missing."""
    input:
        files=if_due("report", report_inputs),
    output:
        page=report(
            "results/{suite}/report.html",
            caption="../report/page.rst",
            category="1. The suite on one page",
            labels={"title": SUITE.title},
        ),
        record="results/{suite}/report.json",
    log:
        "results/logs/report/{suite}.log",
    benchmark:
        "results/benchmarks/report/{suite}.tsv"
    conda:
        LIGHT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        files=at(report_inputs),
        published="config/published.csv",
        words=at(report_words),
    shell:
        "python -m dcac --log {log:q} report {params.files:q}"
        " --suite {wildcards.suite:q}"
        " --published {params.published:q}"
        " {params.words:q}"
        " --out {output.page:q} --out {output.record:q}"


rule metrics:
    """Write the headline numbers for `dvc metrics show`."""
    input:
        records=if_due("metrics", all_records),
    output:
        metrics="results/{suite}/metrics.json",
    log:
        "results/logs/metrics/{suite}.log",
    benchmark:
        "results/benchmarks/metrics/{suite}.tsv"
    conda:
        LIGHT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        records=at(all_records),
    shell:
        "python -m dcac --log {log:q} metrics {params.records:q} --out {output.metrics:q}"


rule show_table:
    """Copy a table of the active suite to results/tables/, where whatever suite is active shows its own."""
    input:
        if_due("show_table", copied("show_table")),
    output:
        multiext("results/tables/{table}", ".md", ".html", ".tex", ".csv", ".json"),
    log:
        "results/logs/show_table/{table}.log",
    benchmark:
        "results/benchmarks/show_table/{table}.tsv"
    conda:
        LIGHT
    threads: 1
    resources:
        mem_mb=100,
        runtime=5,
    params:
        files=at(copied("show_table")),
        folder=at("results/tables"),
    shell:
        "cp {params.files:q} {params.folder:q} 2> {log:q}"


rule show_figure:
    """Copy a figure of the active suite to results/figures/, where whatever suite is active shows its own."""
    input:
        if_due("show_figure", copied("show_figure")),
    output:
        multiext("results/figures/{figure}", ".pdf", ".svg", ".png", ".json"),
    log:
        "results/logs/show_figure/{figure}.log",
    benchmark:
        "results/benchmarks/show_figure/{figure}.tsv"
    conda:
        LIGHT
    threads: 1
    resources:
        mem_mb=100,
        runtime=5,
    params:
        files=at(copied("show_figure")),
        folder=at("results/figures"),
    shell:
        "cp {params.files:q} {params.folder:q} 2> {log:q}"


rule show_report:
    """Copy the page of the active suite to results/report.html."""
    input:
        if_due("show_report", copied("show_report")),
    output:
        multiext("results/report", ".html", ".json"),
    log:
        "results/logs/show_report.log",
    benchmark:
        "results/benchmarks/show_report.tsv"
    conda:
        LIGHT
    threads: 1
    resources:
        mem_mb=100,
        runtime=5,
    params:
        files=at(copied("show_report")),
        folder=at("results/"),
    shell:
        "cp {params.files:q} {params.folder:q} 2> {log:q}"


rule show_metrics:
    """Copy the headline numbers of the active suite to where `dvc metrics show` looks."""
    input:
        if_due("show_metrics", copied("show_metrics")),
    output:
        metrics="results/metrics.json",
    log:
        "results/logs/show_metrics.log",
    benchmark:
        "results/benchmarks/show_metrics.tsv"
    conda:
        LIGHT
    threads: 1
    resources:
        mem_mb=100,
        runtime=5,
    params:
        files=at(copied("show_metrics")),
    shell:
        "cp {params.files:q} {output.metrics:q} 2> {log:q}"
