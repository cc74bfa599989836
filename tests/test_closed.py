"""The floor of configuration files: what cannot be read is named with file, line, key and remedy."""

import pytest

from dcac.closed import (
    Closed,
    ConfigError,
    Count,
    Names,
    Seeds,
    Share,
    load_yaml,
    parse,
    require_mappings,
    require_names,
)
from dcac.suites import load_project

BOMB = b"a0: &a0 [x, x]\n" + b"".join(
    b"a%d: &a%d [%s]\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 12)
)


class Toy(Closed):
    """A model with a key of every kind."""

    share: Share = 0.5
    count: Count = 1
    triple: tuple[float, float] = (0.0, 0.0)
    names: Names = ()
    seeds: Seeds = (1,)
    word: str = ""
    switch: bool = False
    parts: dict[str, "Toy"] = {}


@pytest.fixture
def read(tmp_path):
    """Return a function that reads bytes as a YAML file."""

    def write(content):
        (tmp_path / "some.yaml").write_bytes(content)
        return load_yaml(tmp_path / "some.yaml")

    return write


def test_missing_file_and_file_without_mapping_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"config.yaml does not exist"):
        load_project(tmp_path)
    (tmp_path / "config.yaml").write_text("- demo\n")
    with pytest.raises(ConfigError, match="must hold a mapping of keys to values, found list"):
        load_project(tmp_path)


def test_a_missing_file_names_its_nearest_neighbour_or_the_folder_it_was_looked_for_in(tmp_path, monkeypatch):
    (tmp_path / "config.yaml").touch()
    with pytest.raises(ConfigError, match=r"confg.yaml does not exist \(did you mean 'config'\?\); there are: config"):
        load_yaml(tmp_path / "confg.yaml")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=f"looked for in the current folder, {tmp_path}: start the command in"):
        load_yaml(tmp_path / "elsewhere" / "config.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: 1\nb: 2\na: 3\n", "line 3: key 'a' is given again, first in line 1; remove one"),
        (b"a: 1\nb:\n  c: 1\n  c: 1\n", "line 4: key 'c' is given again, first in line 3"),
        (b"a: [{b: 1, b: 2}]\n", "line 1: key 'b' is given again"),
        (b"a: 1\nno: 2\n", "line 2: key no is read as bool, not as a word; write 'no' in quotes"),
        (b"a: {1.5: 2}\n", "line 1: key 1.5 is read as float"),
        (b"~: 2\n", "line 1: key ~ is read as null"),
        (b"2024-01-01: 2\n", "line 1: key 2024-01-01 is read as timestamp"),
        (b"[a]: 2\n", "line 1: a key is a list or mapping; write a word before the colon"),
        (b"a\nb: 2\n", "line 2, column 2: mapping values are not allowed here; correct the line, or the one before"),
        (b"a:\n\tb: 2\n", r"line 2, column 1: found character '\\t' .* blanks instead of tabs"),
        (b"a: [1,\n", "line 2, column 1: expected the node content"),
        (b"a: *b\n", "line 1, column 4: found undefined alias"),
        (b"a: !!python/name:os.system\n", "line 1, column 4: could not determine a constructor"),
        (b"a: 1\nb: 2024-13-45\n", r"line 2: '2024-13-45' cannot be read \(month must be in 1..12\)"),
        (b"a: !!timestamp b\n", "line 1: 'b' cannot be read"),
        (b"a: 1\nb: [010]\n", "line 2: 010 is read as 8, a number to base 8 or 60; write 8, or '010' in quotes"),
        (b"a: -1:30\n", "line 1: -1:30 is read as -90"),
        (b"a: 1:30.5\n", "line 1: 1:30.5 is read as 90.5"),
        (b"a: 1\nb: \xe9\n", "line 2: byte 0xe9 is no UTF-8; save the file as UTF-8"),
        ("a: é\n".encode("utf-16"), "line 1: byte 0xff is no UTF-8"),
        (b"a: 1\nb: \x07\n", "line 2: character 0x7 is not allowed in YAML; remove it"),
        (b"", "must hold a mapping of keys to values, found nothing"),
        (BOMB, "stands for more than 100000 values, by aliases of aliases; write it flat"),
        (b"a: &a [*a]\n", "nested too deeply, or within itself"),
        (b"a: " + b"[" * 3000, "nested too deeply, or within itself"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_its_line(read, content, message):
    with pytest.raises(ConfigError, match=f"^[^\n]*some.yaml[^\n]*{message}[^\n]*$"):
        read(content)


def test_words_in_quotes_aliases_and_merged_keys_are_read(read):
    assert read(b"a: [0, -0, 0.5, 0x10, 1.0e-06, '010']\n") == {"a": [0, 0, 0.5, 16, 1e-6, "010"]}
    content = b'\xef\xbb\xbf"no": 1\n"12": 2\nx: &x {a: 1, b: 2}\ny: {<<: *x, a: 3}\n'
    x = {"a": 1, "b": 2}
    assert read(content) == {"no": 1, "12": 2, "x": x, "y": {**x, "a": 3}}


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize("key", ["share", "count", "triple", "names", "seeds", "word"])
def test_a_truth_value_is_neither_a_number_nor_a_word(key, value):
    given = value if key in ("share", "count", "word") else [value, 2]
    with pytest.raises(ConfigError, match=f"'{key}' is .*{value}.*: yes, no, on, off, true and false are truth values"):
        parse(Toy, {key: given}, "toy")


def test_a_truth_value_is_read_where_it_is_due():
    toy = parse(Toy, {"switch": True, "parts": {"a": {"switch": True}}}, "toy")
    assert toy.switch is True and toy.parts["a"].switch is True
    with pytest.raises(ConfigError, match=r"'parts.a.share' is True"):
        parse(Toy, {"parts": {"a": {"share": True}}}, "toy")


def test_a_misspelt_key_of_an_inner_part_names_its_nearest_neighbour():
    with pytest.raises(ConfigError, match=r"unknown key 'parts.a.shar' \(did you mean 'share'\?\)"):
        parse(Toy, {"parts": {"a": {"shar": 0.5}}}, "toy")


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan"), ".inf", "nan"])
@pytest.mark.parametrize("key", ["share", "triple"])
def test_a_number_without_end_is_refused_with_what_to_write(key, value):
    given = [0.0, value] if key == "triple" else value
    with pytest.raises(ConfigError, match=f"'{key}.*(must be finite.*large number such as 1.0e6|valid number)"):
        parse(Toy, {key: given}, "toy")


def test_a_number_where_a_word_is_due_asks_for_quotes():
    with pytest.raises(
        ConfigError, match=r"'word' is 12: .*valid string; write a word that YAML reads as .* in quotes"
    ):
        parse(Toy, {"word": 12}, "toy")


@pytest.mark.parametrize(("key", "given"), [("names", ["a", "b", "a"]), ("seeds", [1, 2, 1]), ("seeds", [1, "1"])])
def test_what_is_given_twice_is_named(key, given):
    with pytest.raises(ConfigError, match=f"'{key}' is .*: '?{given[0]}'? is given twice; remove one"):
        parse(Toy, {key: given}, "toy")


@pytest.mark.parametrize(("given", "message"), [([], "at least 1 item"), ([-1], "'seeds.0' is -1: .*greater than")])
def test_seeds_are_some_and_not_negative(given, message):
    with pytest.raises(ConfigError, match=message):
        parse(Toy, {"seeds": given}, "toy")


@pytest.mark.parametrize("name", ["my run", "a/b", "{a}", ".a", "-a", "", "a\n", "ä", "a:b", "$a", "..", "a*"])
def test_what_cannot_be_a_name_in_a_path_is_refused(name):
    with pytest.raises(ConfigError, match=r"x.yaml: variant '.*' cannot be a name in a path; use letters") as caught:
        require_names([name], "x.yaml: variant")
    assert repr(name) in str(caught.value)


def test_names_may_hold_marks_that_paths_know():
    require_names(["dcac", "dcac-fc+pcl", "sd-v1.5_ema", "3"], "variant")
    with pytest.raises(ConfigError, match="'a_b' cannot be a name in a path; use letters a-z and A-Z, digits and -,"):
        require_names(["a_b"], "data set", marks="-")
    with pytest.raises(ConfigError, match="'chance' is a word of the project's own; choose another"):
        require_names(["chance"], "variant", reserved=("chance",))


@pytest.mark.parametrize("entry", ["word", ["a"], 3, None])
def test_an_entry_that_is_no_mapping_is_named(entry):
    with pytest.raises(ConfigError, match=r"x.yaml: card 'a' is .*; give `key: value` lines below it"):
        require_mappings({"a": entry}, "x.yaml: card")
