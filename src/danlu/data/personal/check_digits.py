"""Check digits of identity numbers, cards and accounts. Inputs are without separators."""

from __future__ import annotations

from datetime import date

from danlu.data.personal.tables import words

# GB/T 2260: the first two digits of a resident ID or of a company's region are a province.
PROVINCES = frozenset(
    words("11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71 81 82 83")
)
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_VALUE = {c: i for i, c in enumerate(USCC_ALPHABET)}
_USCC_WEIGHTS = tuple(pow(3, i, 31) for i in range(17))
# ISO 13616 registry: length of an IBAN per country.
IBAN_LENGTHS = {
    pair[:2]: int(pair[2:])
    for pair in [
        "AD24",
        "AE23",
        "AL28",
        "AT20",
        "AZ28",
        "BA20",
        "BE16",
        "BG22",
        "BH22",
        "BI27",
        "BR29",
        "BY28",
        "CH21",
        "CR22",
        "CY28",
        "CZ24",
        "DE22",
        "DJ27",
        "DK18",
        "DO28",
        "EE20",
        "EG29",
        "ES24",
        "FI18",
        "FK18",
        "FO18",
        "FR27",
        "GB22",
        "GE22",
        "GI23",
        "GL18",
        "GR27",
        "GT28",
        "HR21",
        "HU28",
        "IE22",
        "IL23",
        "IQ23",
        "IS26",
        "IT27",
        "JO30",
        "KW30",
        "KZ20",
        "LB28",
        "LC32",
        "LI21",
        "LT20",
        "LU20",
        "LV21",
        "LY25",
        "MC27",
        "MD24",
        "ME22",
        "MK19",
        "MN20",
        "MR27",
        "MT31",
        "MU30",
        "NI28",
        "NL18",
        "NO15",
        "OM23",
        "PK24",
        "PL28",
        "PS29",
        "PT25",
        "QA29",
        "RO24",
        "RS22",
        "RU33",
        "SA24",
        "SC31",
        "SD18",
        "SE24",
        "SI19",
        "SK24",
        "SM27",
        "SO23",
        "ST25",
        "SV28",
        "TL23",
        "TN24",
        "TR26",
        "UA29",
        "VA22",
        "VG24",
        "XK20",
        "YE30",
    ]
}


def luhn(digits: str) -> bool:
    """ISO/IEC 7812: the check of payment cards."""
    total = sum(map(int, digits[-1::-2]))
    for digit in digits[-2::-2]:
        doubled = 2 * int(digit)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def luhn_digit(body: str) -> str:
    """The digit that makes `body` valid when appended."""
    return next(d for d in "0123456789" if luhn(body + d))


def id_digit(body: str) -> str:
    """ISO 7064 MOD 11-2 over the first 17 digits of a resident ID (GB 11643)."""
    return "10X98765432"[sum(w * int(d) for w, d in zip(_ID_WEIGHTS, body, strict=True)) % 11]


def real_date(digits: str) -> bool:
    """Whether `YYYYMMDD` is a day between 1900 and 2039 (no clock is asked, so that results do not age)."""
    try:
        return 1900 <= date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).year < 2040
    except ValueError:
        return False


def resident_id(value: str) -> bool:
    """Whether 18 characters are a resident ID: province, day of birth, check character."""
    return value[:2] in PROVINCES and real_date(value[6:14]) and id_digit(value[:17]) == value[17].upper()


def old_resident_id(value: str) -> bool:
    """Whether 15 digits can be a resident ID of before 1999, which has no check digit: province and date are right."""
    return value[:2] in PROVINCES and real_date("19" + value[6:12])


def uscc_digit(body: str) -> str:
    """GB 32100: the check character of the first 17 of a unified social credit code."""
    total = sum(w * _USCC_VALUE[c] for w, c in zip(_USCC_WEIGHTS, body, strict=True))
    return USCC_ALPHABET[-total % 31]


def uscc(value: str) -> bool:
    """Whether 18 upper-case characters are a unified social credit code: its form and its check character."""
    known = all(c in _USCC_VALUE for c in value)
    return known and value[2:8].isdigit() and value[0] in "123456789ANY" and uscc_digit(value[:17]) == value[17]


def iban(value: str) -> bool:
    """ISO 13616: length of the country and mod 97 of the rearranged number."""
    return IBAN_LENGTHS.get(value[:2]) == len(value) and _mod97(value) == 1


def iban_digits(country: str, account: str) -> str:
    """The two check digits of an account."""
    return f"{98 - _mod97(f'{country}00{account}'):02d}"


def _mod97(value: str) -> int:
    return int("".join(str(int(c, 36)) for c in value[4:] + value[:4])) % 97


def ssn(digits: str) -> bool:
    """Whether nine digits can have been issued as a US social security number (SSA's rules since 2011)."""
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in ("000", "666") and area[0] != "9" and group != "00" and serial != "0000"
