"""What a Chinese name is worth by itself: the same sum as of `name_features`, out of tables by character.

What depends on one character is added up once for each; what a name and its parts are as words is asked of the
segmenter.
"""

from __future__ import annotations

from functools import cache, lru_cache

from danlu.data.personal.chinese_tables import name_characters, name_surnames, name_tables, name_weights, short_places
from danlu.data.personal.name_features import ODD, SITES, by_itself, surname_features, tag_key


class NameSums:
    """The sums that the scorer's weights give, or those of the first look.

    Attributes:
        surnames: what a surname of one character says, with a given name of one character and of two.
        onlys: what a character says that is the whole given name.
        firsts: what a character says as the first of two.
        seconds: as the second of two.
        low: the weight of the lower of two characters' shares.
    """

    def __init__(self, gate: bool) -> None:
        self._weights = name_weights(gate=gate)
        one, two = self._numbers("one"), self._numbers("two")
        self.low = two["low"]
        self.surnames = {name: (self._surname(name, 1), self._surname(name, 2)) for name in name_tables().rank}
        self.onlys, self.firsts, self.seconds = dict[str, float](), dict[str, float](), dict[str, float]()
        for c, (share, often) in name_characters().items():
            first = self.weight("first", c)
            self.onlys[c] = (one["llr"] + one["low"]) * share + one["often"] * (often + 7.0)
            self.onlys[c] += first + self.weight("last", "1" + c)
            self.firsts[c] = two["llr"] * share + two["often"] * (often / 2 + 7.0) + first
            self.seconds[c] = two["llr"] * share + two["often"] * often / 2 + self.weight("last", "2" + c)
            if c in SITES:
                self.seconds[c] += self.weight("site", "12")

        self._whole = self._values("whole", "11"), self._values("whole", "12")
        self._begin, self._given = self._values("begin"), self._values("given")
        both = (False, True)
        self._listed = {(name, begin): self.weight("listed", f"{name}{begin}") for name in both for begin in both}
        self._twice = self.weight("twice", "False"), self.weight("twice", "True")
        self._place = self.weight("place", "11"), self.weight("place", "12")

    def weight(self, kind: str, value: str) -> float:
        """The weight of a feature."""
        return self._weights.get((kind, value), 0.0)

    def _values(self, kind: str, begin: str = "") -> dict[str, float]:
        """The weights of one kind of feature whose values begin so, by what is behind."""
        own = ((value, w) for (key, value), w in self._weights.items() if key == kind and value.startswith(begin))
        return {value.removeprefix(begin): w for value, w in own}

    def _numbers(self, size: str) -> dict[str, float]:
        return {key: self.weight(f"{key} {size}", "") for key in ("llr", "low", "often")}

    def _surname(self, surname: str, given: int) -> float:
        own = sum(self.weight(*feature) for feature in surname_features(surname, given))
        size = "one" if given == 1 else "two"
        return own + self.weight(f"surname {size}", "") * name_surnames().get(surname, 5.0)

    def most(self) -> tuple[float, float, float]:
        """The most that words can say: behind a surname one character, two, and the same one twice."""
        beside = max(self._listed.values()) + max(0.0, *self._place) + max(0.0, *self._values("home").values())
        parts = (self._whole[True], self._begin, self._given)
        long = sum(max(0.0, *part.values()) for part in parts) + beside
        return max(0.0, *self._whole[False].values()) + beside, long + self._twice[False], long + self._twice[True]

    def whole(self, name: str, family: int) -> float:
        """What a name is worth by itself; `ODD` with an odd character or without a given name.

        Args:
            name: surname and given name.
            family: characters of the surname.
        """
        if family != 1 or len(name) > 3:
            return by_itself(name, family, self._weights)
        known = name_characters()
        if len(name) < 2 or any(c not in known for c in name[1:]):
            return ODD
        own = self.surnames[name[0]]
        if len(name) == 2:
            return own[0] + self.onlys[name[1]] + self.words(name)
        lower = self.low * min(known[name[1]][0], known[name[2]][0])
        return own[1] + self.firsts[name[1]] + self.seconds[name[2]] + lower + self.words(name)

    def words(self, name: str) -> float:
        """What a name with a surname of one character says as a word, and by its parts."""
        listed, long = name_tables().not_names, len(name) > 2
        total = self._whole[long].get(tag_key(name), 0.0)
        if long:
            begin = name[:2]
            total += self._listed[name in listed, begin in listed] + self._twice[name[1] == name[2]]
            total += self._begin.get(tag_key(begin), 0.0) + self._given.get(tag_key(name[1:]), 0.0)
            if name[1] == "家" and name[2] in SITES:
                total += self.weight("home", name[2])
        else:
            total += self._listed[name in listed, name in listed]
        return total + self._place[long] if name in short_places() else total


@cache
def name_sums(gate: bool = False) -> NameSums:
    """The sums by the scorer's weights, or by those of the first look."""
    return NameSums(gate)


@lru_cache(maxsize=1 << 16)
def worth(name: str, family: int) -> float:
    """What a name is worth by itself to the scorer."""
    return name_sums().whole(name, family)
