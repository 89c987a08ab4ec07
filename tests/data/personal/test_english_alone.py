"""Names of one word: found where the form says that it is somebody, left alone where a word only stands there."""

from __future__ import annotations

import pytest

from danlu.data.personal import find


def names(text: str) -> list[str]:
    return [text[span.start : span.end] for span in find(text) if span.kind == "EN_NAME"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Katherine: the file is ready\nOmar: thanks", ["Katherine", "Omar"]),
        ("[09:30] Svenja: please check\n[09:31] Bot: done", ["Svenja"]),
        ("16:09 Nomvula - the truck is here", ["Nomvula"]),
        ("<Anjali> the lease is signed", ["Anjali"]),
        ("**Arturo**: use the other door", ["Arturo"]),
        ("[14:24] Nigel (Support): hello", ["Nigel"]),
        ("Omar: can you look?\nLiezl: which one\nOmar: the last", ["Omar", "Liezl", "Omar"]),
        ("Good morning Mateo,\n\nthe file is attached.", ["Mateo"]),
        ("Caller: Hi Whitney, I am calling about the bill", ["Whitney"]),
        ("Subject: Next steps\n\nHi Mafalda,\n\nthe form is due.\n\nTigist", ["Mafalda", "Tigist"]),
        ("Jyoti,\n\nthe invoice is attached.", ["Jyoti"]),
        ("the order is late.\n\nKind regards,\nGunnar", ["Gunnar"]),
        ("Surname: de Vries\nFirst name: Sanne", ["de Vries", "Sanne"]),
        ('{"last_name": "Reyes", "first_name": "Carmen"}', ["Reyes", "Carmen"]),
        ("Ms. van der Meer reports a headache, and Mrs. Sun does too.", ["van der Meer", "Sun"]),
        ("Posted by Lucien on 2 June", ["Lucien"]),
        ("Name,Mobile,Bank\nZhu Fang,,n/a\nZ. Kariuki,,n/a\nOuyang Jun,,n/a", ["Zhu Fang", "Z. Kariuki", "Ouyang Jun"]),
        (
            "Guest: where?\nHeather: here\nGuest: when?\nHeather: now\nHui: so\nHui: yes",
            ["Heather", "Heather", "Hui", "Hui"],
        ),
        ("My husband Carlos spoke with Ingrid.", ["Carlos", "Ingrid"]),
        ("Divya, please bring the form.", ["Divya"]),
        ('"Dear Dennis, your mailbox is full"', ["Dennis"]),
        ("tickets for ZHANG, ZIHAO were issued", ["ZHANG, ZIHAO"]),
        ("**Last Name:** Kobayashi\nFirst name ....... Yumiko", ["Kobayashi", "Yumiko"]),
        ("Judith 9:46 AM\nplease call back", ["Judith"]),
        ("Elif: is it done?\nConnor: yes, thanks Elif", ["Elif", "Connor", "Elif"]),
    ],
)
def test_somebody_speaks_is_greeted_or_signs(text: str, expected: list[str]) -> None:
    assert names(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Total: 12\nMin: 3\nMax: 9\nMean: 4.5",
        "Austin: 34 %\nDallas: 12 %",
        "Jordan: population 11 million",
        "April: report due\nMay: review",
        "In-Reply-To: <a@b>\nList-Id: users\nDelivered-To: x",
        "[10:30] Jenkins: build failed\n[10:31] Grafana: alert",
        "Dear Customer,\n\nwe write about your order.\n\nRegards,\nSupport",
        "Hello World! Hi Team, Dear Homeowner, Hey Siri, good morning everyone",
        "Mr. Chairman, Mr. Speaker and Mr. President",
        "First name: required\nLast name: Unknown",
        "<Invoice> <Total> 12 </Total>",
        "Seller: Suzhou Lande Precision Instruments Co., Ltd; Shenzhen Huaxin Electronics",
        "sold by Henry Schein Inc. and Booz Allen Hamilton",
        "Driver: where?\nNurse: here\nDriver: when?\nNurse: now",
        "Delivered-To: a\nTitle: Case Worker",
        "Delivered-To: a\nDelivered-To: b\nErrors-To: c\nErrors-To: d",
        "Kubernetes: a scheduler\nDocker: a runtime",
    ],
)
def test_a_label_or_a_firm_is_nobody(text: str) -> None:
    assert names(text) == []
