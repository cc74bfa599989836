"""The protocol card says in one line, from the records, what two papers may do differently."""

import pandas as pd
import pytest

from dcac.reporting.tables.protocol_card import euclidean_notes, protocol_card

LABELS = {"baseline": "Baseline (ours)", "dcac": "DCAC (ours)", "net": "A network"}


def test_what_all_share_is_said_once(records, suite):
    card = protocol_card(records, suite, LABELS)
    assert "\n" not in card and card.startswith("Protocol card: ")
    for fact in (
        "C3 (version 1 detected, 3,368 query and 15,913 gallery images), MS (version 1, 3,368 query",
        "junk left out at import",
        "distractors: 2,793 on MS",
        "metric cosine;",
        "images stretched to 256 × 128, bicubic;",
        "last epoch: 60;",
        "no re-ranking.",
    ):
        assert fact in card


def test_what_differs_is_said_with_the_methods(records, suite):
    other = records["variant"] == "dcac"
    changed = records.assign(
        metric=["euclidean" if own else "cosine" for own in other],
        image_height=[384 if own else height for own, height in zip(other, records["image_height"], strict=True)],
        extra_weight=[0.25 if own else None for own in other],
    )
    card = protocol_card(changed, suite, LABELS)
    assert "metric cosine (Baseline (ours), chance) and Euclidean (DCAC (ours))" in card
    assert "stretched to 256 × 128, bicubic (Baseline (ours)) and 384 × 128, bicubic (DCAC (ours))" in card
    assert "DCAC (ours) mixed with given distances, weight 0.25" in card


def test_targets_with_splits_say_so(records, suite):
    card = protocol_card(records.assign(num_splits=10, num_query=316, num_gallery=316), suite, LABELS)
    assert "316 query and 316 gallery images, mean of 10 random splits" in card


def test_records_of_an_older_version_leave_out_what_they_do_not_tell(records, suite):
    older = records.drop(
        columns=["metric", "image_height", "image_width", "resize", "epoch", "num_distractors", "extra_weight"]
    )
    card = protocol_card(older, suite, LABELS)
    assert "metric" not in card and "epoch" not in card and "distractors" not in card and "C3 (version 1" in card


@pytest.fixture
def with_network(records, suite):
    """The records with those of a network of others, and a suite that names it among its references."""
    rows = [
        {**records.iloc[0], "variant": "net", "sources": "MA", "target": target, "seed": 0, "mAP": 0.5, "rank1": 0.6,
         "image_height": 384, "image_width": 128, "euclidean_mAP": 0.41, "euclidean_rank1": 0.55, "mAP_verdict": ""}
        for target in ("MS", "C3")
    ]  # fmt: skip
    return pd.concat([records, pd.DataFrame(rows)], ignore_index=True), suite.model_copy(
        update={"references": ("chance", "net")}
    )


def test_euclidean_numbers_of_a_network_without_a_metric_stand_below(with_network):
    records, suite = with_network
    protocol = suite.protocols["single-source"]
    assert euclidean_notes(records, suite, protocol, LABELS) == [
        "A network by Euclidean distance, mAP / rank-1: C3 41.0 / 55.0, MS 41.0 / 55.0."
    ]
    assert euclidean_notes(records[records["variant"] != "net"], suite, protocol, LABELS) == []


def test_a_network_of_others_is_a_row_of_its_sources_marked_like_published_ones(with_network, variants, tmp_path):
    from pathlib import Path

    from dcac.reporting.tables.page import Page

    records, suite = with_network
    page = Page("dg_single", suite, records, Path(__file__).parents[3] / "config/published.csv", variants)
    ((cells, rows),) = page.blocks
    row = next(row for row in rows if row.name.startswith("net"))
    assert (row.name, row.kind) == ("net ‡", "reference")
    assert {cell for cell, _ in row.values} == set(cells)
    elsewhere = records.assign(
        sources=["D" if v == "net" else s for v, s in zip(records["variant"], records["sources"], strict=True)]
    )
    page = Page("dg_single", suite, elsewhere, Path(__file__).parents[3] / "config/published.csv", variants)
    assert next(row for row in page.blocks[0][1] if row.name.startswith("net")).values == {}
    assert "n = 2 training seeds" in page.notes[0], "its seed 0 is no training of ours"
