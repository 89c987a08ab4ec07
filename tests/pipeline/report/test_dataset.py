"""The dataset's page: safe with strangers' text, complete, loud where personal data is left, true to its input."""

from __future__ import annotations

import copy
import re
from typing import Any, get_args

import pytest

from danlu.pipeline.report import dataset_charts as charts
from danlu.pipeline.report.dataset import render_dataset_report
from danlu.pipeline.report.dataset_words import POLICIES, STEPS
from danlu.recipe.augmentation import AnyAugmenter
from danlu.recipe.cleaners import Cleaner
from danlu.recipe.redaction import Policy
from tests.pipeline.report.dataset_example import DRIFT, FACTS, FULL
from tests.pipeline.test_report import Page, flat

NASTY = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>&amp;</style></title>\u202eevil\u2066"
SECTIONS = (
    "rows", "personal", "quarantine", "rewrites", "lengths", "languages", "labels", "duplicates", "suspects", "leakage",
    "contamination", "drift", "augmentation", "run",
)  # fmt: skip


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DANLU_LANG", "en")


def render(data: dict[str, Any], **changed: Any) -> str:
    given = {"title": "support-desk", "created": "2026-11-24T08:20:00+00:00", "facts": FACTS} | changed
    return render_dataset_report(data, **given)


def with_part(*path: str, value: Any) -> dict[str, Any]:
    """The example with one part replaced; `value` None takes it out."""
    data = copy.deepcopy(FULL)
    inner: Any = data
    for name in path[:-1]:
        inner = inner[name]
    if value is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return data


def text_of(data: dict[str, Any], **changed: Any) -> str:
    """What a reader sees: without the hints under the pointer."""
    html = re.sub(r"(?<=>)<title>.*?</title>", "", render(data, **changed), flags=re.S)
    return flat(Page(html).text)


def section(html: str, name: str) -> str:
    found = re.search(rf'<section id="{name}">.*?</section>', html, re.S)
    assert found, name
    return found.group()


# -- one file, safe ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [FULL, {}])
def test_it_loads_nothing_from_elsewhere(data: dict[str, Any]) -> None:
    html = render(data)
    assert not re.search(r"""(?:src|srcset|action|data)\s*=\s*["']?\s*(?:https?:)?//""", html, re.I)
    assert not re.search(r"url\(|@import|https?://", html)
    page = Page(html)
    assert not [
        tag for tag, attributes in page.tags if tag in ("link", "img", "iframe", "object") or "src" in attributes
    ]
    assert all((attributes["href"] or "").startswith("#") for _, attributes in page.tags if "href" in attributes)


def poisoned(value: Any) -> Any:
    """Every text in the data, keys included where they come from data, replaced by an attack."""
    if isinstance(value, dict):
        return {key: poisoned(inner) for key, inner in value.items()} | (
            {NASTY: 3} if value and all(isinstance(inner, int) for inner in value.values()) else {}
        )
    if isinstance(value, list):
        return [poisoned(inner) for inner in value]
    return NASTY if isinstance(value, str) else value


def test_no_text_of_the_data_becomes_markup() -> None:
    data = poisoned(FULL)
    # What a step is called decides which part of the page it belongs to
    for kind, step in zip(data["cleaning"], FULL["cleaning"], strict=True):
        kind["step"] = step["step"]
    data["contamination"]["sets"] = {NASTY: data["contamination"]["sets"]["/srv/secret/exam.jsonl"]}
    data["cleaning"][3]["labels"] = {NASTY: {"rows": 9, "suspected": 4}}
    data["augmentation"]["labels"] = {NASTY: {"before": 1, "after": 9}}
    data["examples"] = {NASTY: data["examples"]["normalize"], **data["examples"]}
    html = render(data, title=NASTY, created=NASTY, facts={NASTY: NASTY})
    page = Page(html)
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    assert not any(tag == "img" or any(name.startswith("on") for name in attrs) for tag, attrs in page.tags)
    assert html.count("evil") > 60, "the attack did not reach the page"
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", html)


def test_nothing_of_a_stranger_turns_the_text_around_it() -> None:
    label = "שלום abc"
    data = with_part("labels", value=[{"value": label, "rows": 3, "train": 3, "validation": 0, "test": 0}])
    data["examples"]["refusals"][0]["before"] = f"user: {label}"
    html = render(data)
    assert f"<bdi>{label}</bdi>" in html
    assert f'<p class="text" dir="auto">user: {label}</p>' in html
    assert "unicode-bidi: isolate" in html


def test_every_policy_and_step_of_the_recipe_has_a_name() -> None:
    cleaners = [get_args(choice.model_fields["type"].annotation)[0] for choice in get_args(get_args(Cleaner)[0])]
    augmenters = [get_args(c.model_fields["type"].annotation)[0] for c in get_args(get_args(AnyAugmenter)[0])]
    assert {*cleaners, *augmenters} <= set(STEPS)
    assert set(get_args(Policy)) == set(POLICIES)


# -- complete and true -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_section_is_there(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DANLU_LANG", language)
    page = Page(render(FULL))
    ids = [attributes["id"] for tag, attributes in page.tags if tag == "section" and "id" in attributes]
    assert ids == list(SECTIONS)
    assert dict(page.tags)["html"]["lang"] == ("zh-CN" if language == "zh" else "en")
    assert ("个人信息" in page.text) == (language == "zh")
    assert ("Personal data" in page.text) == (language == "en")


def test_the_numbers_are_those_of_the_input() -> None:
    text = text_of(FULL)
    for wanted in (
        "Of 12,480 rows read, 8,718 (70 %) are in the data set. 392 more were made from training rows.",
        "2,795 pieces of personal data were found in 2,414 rows: 2,270 replaced by a pseudonym, 402 masked,",
        "A second scan of the result still finds 2.",
        "7,739 training 449 validation 922 test 1,812,430 tokens 761,377 of them learned",
        "12,102 −357 301 the answer refuses · 56 the answer is boilerplate",
        "9,031 −1,979 1,979 near duplicate of …",
        "9,193 +392",
        "tickets.jsonl:404 the answer refuses user: 请把我的订单取消，电话 [CN_MOBILE]",
        "normalise 1,820 rows",
        "Chinese mobile number 1,510 replaced by a pseudonym",
        "tickets.jsonl:4410 broken JSON",
        "median 141 90 % of rows up to 402",
        "512 tokens 640 rows · 7.0 % 6.6 % of all tokens",
        "2,048 tokens nothing",
        "Chinese 5,310 58 % English 3,704 41 %",
        "cancel 取消 2,680 training 29 % · validation 29 % · test 29 %",
        "The most frequent label has 2.9 times the rows of the rarest.",
        "11,010 rows compared 4,310 pairs alike 914 clusters 2,893 rows in them 1,979 superfluous",
        "tickets.jsonl:111 +29",
        "3 rows 2 answers tickets.jsonl:8 tickets.jsonl:91 mails.csv:2",
        "61 suspected 8,990 rows checked",
        "tickets.jsonl:0 book → cancel 取消 0.3 %",
        "No training row is alike to a held-out row: 0 leaks.",
        "all 7,739 training rows were compared anew with all 1,371 held-out rows",
        "14 of its 300 items (4.7 %) are repeated by rows read for training. exam.jsonl:12 exam.jsonl:44",
        "All 221 rows that repeat them were left out of the training split.",
        "differ from the 2,000 rows of the reference in: length of the question, language, wording.",
        "voucher 2 % · 11 %",
        "513 children were made from training rows",
        "synonyms 248 / 300",
        "complain 484 → 876",
        "paraphrase: near duplicate of its parent 69",
        "reading 8.4 s near duplicates 22 s split 6.2 s augmentation 1 min 4 s rendering 9.9 s",
        "rendering " + FACTS["rendering"],
        "2026-11-24 08:20 UTC",
    ):
        assert wanted in text, wanted


@pytest.mark.parametrize("name", [*FULL, ""])
@pytest.mark.parametrize("replacement", ["absent", "empty"])
def test_a_missing_part_does_no_harm(name: str, replacement: str) -> None:
    if not name:
        data: dict[str, Any] = {}
    else:
        data = with_part(name, value=None if replacement == "absent" else type(FULL[name])())
    html = render(data)
    Page(html)
    assert not re.search(r'(?:x|y|cx|width|style)="[^"]*(?:nan|inf)', html)


def test_a_ledger_of_before_it_knew_augmentation() -> None:
    ledger = {
        "read": 3,
        "fates": {"kept": 3},
        "steps": [],
        "splits": {"train": 3},
        "tokens": {"total": 9, "learned": 3},
    }
    assert "Of 3 rows read, 3 (100 %) are in the data set." in text_of({"ledger": ledger})


def test_what_was_not_asked_for_is_said() -> None:
    data = with_part("cleaning", value=[])
    for name in ("reference", "contamination"):
        del data[name]
    data["ledger"]["children"] = {"added": 0, "rejected": 0, "dropped": 0}
    assert (
        "Not part of this data set, because the recipe does not ask for it: search for duplicates, search for "
        "conflicting answers, search for wrong labels, comparison with a sample of production, augmentation, "
        "search for evaluation items in the training rows." in text_of(data)
    )
    assert "Not part of this data set" not in text_of(FULL)


def test_steps_stand_in_the_order_of_the_funnel_whatever_the_order_of_the_file() -> None:
    data = with_part("examples", value=dict(sorted(FULL["examples"].items(), reverse=True)))
    data["lengths"]["quantiles"] = {"100": 2044, "50": 141, "99": 1307}
    text = text_of(data)
    assert text.index("normalise 1,820 rows") < text.index("HTML to text 611 rows")
    assert "median 141 99 % of rows up to 1,307 longest 2,044" in text


def test_each_role_has_its_histogram_and_one_that_nobody_has_is_left_out() -> None:
    text = text_of(FULL)
    shown = text[text.index("Whose tokens they are") : text.index("What a maximum length would cut")]
    assert "9,110 77" in shown and "9,110 64" in shown and " tool " not in shown
    assert section(render(FULL), "lengths").count('class="columns"') == 2


def test_folders_of_the_machine_are_not_told_unless_names_clash() -> None:
    data = copy.deepcopy(FULL)
    sets = data["contamination"]["sets"]
    assert "/srv/secret" not in render(data)
    sets["/other/exam.jsonl"] = sets["/srv/secret/exam.jsonl"]
    assert "/srv/secret/exam.jsonl" in render(data)


# -- personal data is loud ---------------------------------------------------------------------------------------------


def test_personal_data_that_is_left_raises_an_alarm() -> None:
    found = section(render(FULL), "personal")
    assert found.count('class="alarm"') == 2
    assert "<strong>2</strong> e-mail address" in found and "<strong>31</strong> IP address" in found
    assert 'class="verdict worse">33 left' in render(FULL)


@pytest.mark.parametrize(("policy", "leftover"), [("keep", {}), ("tag", {"EMAIL": 1})])
def test_either_of_them_alone_is_no_clean_result(policy: str, leftover: dict[str, int]) -> None:
    personal = {"rows": 1, "kinds": [{"kind": "EMAIL", "policy": policy, "found": 1}], "leftover": leftover}
    html = render(with_part("personal_data", value=personal))
    assert section(html, "personal").count('class="alarm"') == 1 and 'class="verdict worse">1 left' in html


def test_a_clean_result_is_green() -> None:
    personal = {"rows": 1, "kinds": [{"kind": "EMAIL", "policy": "tag", "found": 1}], "leftover": {}}
    html = render(with_part("personal_data", value=personal))
    assert 'class="alarm"' not in section(html, "personal")
    assert 'class="verdict better">nothing left' in html
    assert "A second scan of the result finds nothing more." in html


def test_rows_that_nobody_searched_are_no_clean_rows() -> None:
    data = with_part("personal_data", value={"rows": 0, "kinds": [], "leftover": {}})
    data["ledger"]["steps"] = [step for step in data["ledger"]["steps"] if step["step"] != "redact"]
    html = render(data)
    assert 'class="alarm"' in section(html, "personal") and 'class="verdict worse">not looked for' in html
    assert "Personal data was not looked for: the recipe has no data.redact." in html
    assert "No personal data was found" not in html


@pytest.mark.parametrize("found", [0, 3])
def test_rows_whose_names_nobody_looked_for_are_no_clean_rows(found: int) -> None:
    kinds = [{"kind": "EMAIL", "policy": "tag", "found": found}] if found else []
    html = render(with_part("personal_data", value={"rows": found, "kinds": kinds, "leftover": {}, "names": "off"}))
    assert section(html, "personal").count('class="alarm"') == 1
    assert 'class="verdict worse">names not looked for' in html and "nothing left" not in html
    assert "Names of persons were not looked for: the recipe has names: off." in html


def test_leaks_and_dirty_evaluation_sets_are_no_good_news() -> None:
    data = with_part("leakage", "leaks", value=4)
    data["contamination"]["dropped"] = False
    html = render(data)
    assert 'class="alarm"' in section(html, "leakage") and 'class="proof"' not in html
    assert "4 pairs of a training row and a held-out row are alike" in html
    assert "221 rows that repeat them are in the training split: scores on these sets are too good." in html
    assert 'class="verdict worse">leaks' in html and 'class="verdict worse">repeated items' in html


# -- charts ------------------------------------------------------------------------------------------------------------


def test_a_bar_is_as_long_as_its_share_and_never_invisible() -> None:
    def width(amount: float, most: float) -> float:
        return float(re.search(r'y="0" width="([\d.]+)%"', charts.bar(amount, most, "accent", "x"))[1])  # type: ignore[index]

    assert [width(50, 200), width(200, 200), width(1, 100_000), width(0, 10), width(0, 0)] == [25, 100, 0.6, 0, 0]


def test_asked_goes_up_and_answered_goes_down_from_one_line() -> None:
    chart = charts.mirrored([1, 2, 4], [10, 5], [0, 10], ("tokens", "asked", "answered"))
    found = re.findall(r'class="(up|down)" x="([\d.]+)%" y="([\d.]+)%" width="[\d.]+%" height="([\d.]+)%"', chart)
    assert found == [("up", "5.0", "1.5", "48.0"), ("up", "55.0", "25.5", "24.0"), ("down", "55.0", "50.5", "48.0")]
    assert charts.mirrored([1, 2], [1000], [1], ("", "", "")).count('height="48.0%"') == 2, "each to its own height"
    assert "answered · 2–4: 10" in chart
    assert charts.mirrored([], [], [], ("", "", "")) == charts.mirrored([1, 2], [0], [0], ("", "", "")) == ""


def test_an_effect_is_loud_only_beyond_what_chance_gives() -> None:
    beyond, within = charts.against_null(0.3, 0.1, 0.4, "x"), charts.against_null(0.1, 0.1, 0.4, "x")
    assert 'class="beyond" cx="75.0%"' in beyond and 'class="within" cx="25.0%"' in within
    assert 'class="null" x="0" y="2" width="25.0%"' in beyond


def test_a_classifier_that_guesses_stands_at_the_left_edge() -> None:
    wording = copy.deepcopy(DRIFT["dimensions"][-1]) | {"verdict": "no clear difference"}
    wording["measures"][0]["value"] = 0.5
    drift = {**DRIFT, "dimensions": [wording]}
    html = section(render(with_part("reference", value={"before": drift})), "drift")
    assert 'class="within" cx="0.0%"' in html and "No clear difference between the" in html


def test_after_matching_both_comparisons_are_shown() -> None:
    html = section(render(with_part("reference", value={"before": DRIFT, "after": DRIFT})), "drift")
    assert html.index("Before matching") < html.index("After matching")


@pytest.mark.parametrize("count", [0, 1, 5, 100])
def test_any_number_of_labels_and_languages(count: int) -> None:
    values = [{"value": f"v{n}", "rows": 2, "train": 1, "validation": 1, "test": 0} for n in range(count)]
    data = with_part("labels", value=values)
    data["languages"] = values
    html = render(data)
    assert ('id="labels"' in html) == (count > 0)
    assert ("others <strong>188</strong>" in flat(re.sub("</?bdi>", "", html))) == (count == 100)
    assert (">+80 rarer labels<" in html) == (count == 100)


def test_rows_that_were_not_compared_are_told() -> None:
    data = copy.deepcopy(FULL)
    next(iter(data["contamination"]["sets"].values()))["unusable"] = 3
    data["reference"]["left_out"] = {"read": 2, "length": 4, "redact": 1}
    text = text_of(data)
    assert "3 of its rows could not be used and were not compared." in text
    assert (
        "2 of its rows could not be used and were not compared. "
        "5 of its rows were dropped by the steps that training rows went through." in text
    )
    assert "not compared" not in text_of(FULL)
