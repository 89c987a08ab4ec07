"""Files of a source: found, unpacked, their encoding told; refused with what to do."""

from __future__ import annotations

import gzip
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from danlu.data.encodings import BLOCK, detect_encoding, escaped, is_plausible_chinese
from danlu.data.files import SourceFile, endings_of, find_files
from danlu.data.sources.jsonl import JsonlReader
from danlu.recipe.errors import UserError
from danlu.recipe.sources import JsonlSource

CHINESE = "客户来电说，保险的理赔要多少时间？我们会在三个工作日之内给您回复，请您不要着急。"
TRADITIONAL = "客戶服務中心感謝您的來電，請問您需要什麼幫助？保險理賠需要提供醫療發票以及診斷證明書。"


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


PACKERS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".zst": zstd}


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"{}\n")


def names(path: Path | str, kind: str = "jsonl") -> list[str]:
    return [file.name for file in find_files(str(path), kind).files]


def refusal(path: Path | str, kind: str = "jsonl") -> UserError:
    with pytest.raises(UserError) as caught:
        find_files(str(path), kind)
    assert caught.value.fix
    return caught.value


# -- finding ---------------------------------------------------------------------------------------------------------


def test_one_file_has_its_own_name_whatever_its_ending(tmp_path: Path) -> None:
    make(tmp_path, "deep/rows.log")
    assert names(tmp_path / "deep/rows.log") == ["rows.log"]


def test_a_folder_gives_all_fitting_files_below_it_in_order_and_names_the_rest(tmp_path: Path) -> None:
    make(
        tmp_path,
        "b.jsonl",
        "a/z.ndjson",
        "a.jsonl.gz",
        "B.JSONL",
        "c.csv",
        "notes.docx",
        ".hidden.jsonl",
        ".git/x.jsonl",
    )
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b"{}"))
    (tmp_path / "none.jsonl").write_bytes(b"")
    (tmp_path / "none.jsonl.gz").write_bytes(gzip.compress(b""))
    (tmp_path / "gone.jsonl").symlink_to(tmp_path / "nowhere")
    (tmp_path / "linked").symlink_to(tmp_path / "a")
    found = find_files(str(tmp_path), "jsonl")
    assert [file.name for file in found.files] == ["B.JSONL", "a.jsonl.gz", "a/z.ndjson", "b.jsonl"]
    assert [file.path for file in found.files] == [tmp_path / file.name for file in found.files]
    assert found.skipped == {
        ".git/": "hidden",
        ".hidden.jsonl": "hidden",
        "c.csv": "a csv file: give it a source of its own",
        "gone.jsonl": "a link that leads nowhere",
        "linked/": "a linked folder",
        "none.jsonl": "empty",
        "none.jsonl.gz": "empty",
        "notes.docx": "not an ending of jsonl files",
    }


def test_a_glob_names_files_from_where_it_begins(tmp_path: Path) -> None:
    make(tmp_path, "d/x/1.jsonl", "d/y/2.jsonl", "d/3.jsonl", "d/x/4.csv", "other/5.jsonl")
    assert names(tmp_path / "d" / "**" / "*.jsonl") == ["3.jsonl", "x/1.jsonl", "y/2.jsonl"]
    assert names(tmp_path / "d" / "?" / "*.jsonl") == ["x/1.jsonl", "y/2.jsonl"]
    found = find_files(str(tmp_path / "d" / "*"), "jsonl")
    assert [file.name for file in found.files] == ["3.jsonl"]
    assert found.skipped == dict.fromkeys(["x", "y"], "a folder; `**` reaches the files in it")
    everything = find_files(str(tmp_path / "d" / "**"), "jsonl")
    assert [file.name for file in everything.files] == ["3.jsonl", "x/1.jsonl", "y/2.jsonl"]
    assert everything.skipped["x/4.csv"] == "a csv file: give it a source of its own"


def test_a_glob_that_names_an_ending_means_it(tmp_path: Path) -> None:
    make(tmp_path, "1.log", "2.log", "3.jsonl")
    assert names(tmp_path / "*.log") == ["1.log", "2.log"]


def test_brackets_in_names_are_no_wildcards_where_the_file_exists(tmp_path: Path) -> None:
    make(tmp_path, "a[1].jsonl", "d[1]/a.jsonl", "d[1]/b.jsonl")
    assert names(tmp_path / "a[1].jsonl") == ["a[1].jsonl"]
    assert names(str(tmp_path) + "/d[[]1]/*.jsonl") == ["a.jsonl", "b.jsonl"]


def test_what_is_not_there_is_refused_with_what_is(tmp_path: Path) -> None:
    make(tmp_path, "tickets.jsonl")
    error = refusal(tmp_path / "ticket.jsonl")
    assert "there is no file or folder" in error.reason and "did you mean 'tickets.jsonl'" in error.fix
    assert "nothing" in refusal(tmp_path / "*.ndjson").reason
    assert "check the path" in refusal(tmp_path / "no" / "x.jsonl").fix


def test_a_folder_without_fitting_files_says_what_it_holds_and_what_fits(tmp_path: Path) -> None:
    make(tmp_path, *[f"{index:02}.csv" for index in range(12)])
    error = refusal(tmp_path)
    assert ".jsonl, .ndjson" in error.reason and "00.csv: a csv file" in error.reason and "and 2 more" in error.reason
    (tmp_path / "empty").mkdir()
    assert refusal(tmp_path / "empty").reason.endswith(": nothing")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    for name, content in (("a.jsonl", b""), ("a.jsonl.gz", b""), ("b.jsonl.gz", gzip.compress(b""))):
        (tmp_path / name).write_bytes(content)
        assert refusal(tmp_path / name).reason == "is empty"


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    assert "no regular file" in refusal(tmp_path / "pipe").reason


def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    gone = SourceFile(tmp_path / "gone", "gone")
    with pytest.raises(UserError, match="cannot be read: No such file") as caught, gone.open():
        pass
    assert caught.value.where == str(tmp_path / "gone") and caught.value.fix


def test_a_folder_that_cannot_be_listed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.scandir", refuse)
    assert "cannot be read: Permission denied" in refusal(tmp_path).reason


def test_endings_of_a_kind() -> None:
    assert endings_of("csv") == (".csv", ".tsv")


# -- unpacking -------------------------------------------------------------------------------------------------------

CONTENT = b"".join(b'{"text": "%d"}\n' % (index * 7919 % 1_000_003) for index in range(200_000))


@pytest.mark.parametrize("suffix", sorted(PACKERS))
def test_archives_are_unpacked_all_their_members(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.jsonl{suffix.upper()}"
    path.write_bytes(PACKERS[suffix](CONTENT) + PACKERS[suffix](b"more"))
    with SourceFile(path, path.name).open() as file:
        assert file.read() == CONTENT + b"more"


@pytest.mark.parametrize("suffix", sorted(PACKERS))
def test_an_archive_that_is_cut_off_says_how_much_could_be_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.jsonl{suffix}"
    packed = PACKERS[suffix](CONTENT)
    path.write_bytes(packed[: len(packed) // 2])
    with SourceFile(path, path.name).open() as file, pytest.raises(UserError, match="cut off") as caught:
        file.read()
    count = int(caught.value.reason.split(": ")[1].split(" ")[0].replace(",", ""))
    assert 0 < count < len(CONTENT)
    assert caught.value.where == str(path) and "download it again" in caught.value.fix


@pytest.mark.parametrize("suffix", sorted(PACKERS))
@pytest.mark.parametrize("content", [b"no archive, secret text", None], ids=["none", "damaged"])
def test_a_damaged_archive_is_refused_without_its_bytes(tmp_path: Path, suffix: str, content: bytes | None) -> None:
    packed = bytearray(PACKERS[suffix](CONTENT))
    packed[len(packed) // 2 :] = b"\xff" * (len(packed) // 2)
    path = tmp_path / f"a.jsonl{suffix}"
    path.write_bytes(packed if content is None else content)
    with pytest.raises(UserError, match="the archive is") as caught, SourceFile(path, path.name).open() as file:
        file.read()
    assert "secret" not in str(caught.value)


# -- encodings -------------------------------------------------------------------------------------------------------


def encoding_of(tmp_path: Path, content: bytes, name: str = "a.txt") -> str:
    (tmp_path / name).write_bytes(content)
    return detect_encoding(SourceFile(tmp_path / name, name))


@pytest.mark.parametrize("text", [CHINESE, TRADITIONAL, "你好", "text\n退保流程\n", CHINESE * 5000], ids=range(5))
def test_chinese_is_told_in_both_encodings(tmp_path: Path, text: str) -> None:
    assert encoding_of(tmp_path, text.encode()) == "utf-8"
    assert encoding_of(tmp_path, text.encode("gb18030")) == "gb18030"
    assert encoding_of(tmp_path, gzip.compress(text.encode("gb18030")), "a.txt.gz") == "gb18030"


def test_a_character_on_the_edge_of_a_block_is_no_error(tmp_path: Path) -> None:
    for shift in range(4):
        padding = b" " * (BLOCK - 50 - shift)
        assert encoding_of(tmp_path, padding + (CHINESE * 9).encode()) == "utf-8"
        assert encoding_of(tmp_path, padding + (CHINESE * 9).encode("gb18030")) == "gb18030"


FOREIGN = [
    (
        "안녕하세요. 고객 서비스에 문의해 주셔서 감사합니다. 주문하신 상품은 내일 배송될 예정입니다.",
        "euc-kr",
    ),
    ("こんにちは。今日は天気がとても良いです。お問い合わせありがとうございます。商品は明日発送予定です。", "euc-jp"),
    ("こんにちは。今日は天気がとても良いです。お問い合わせありがとうございます。商品は明日発送予定です。", "shift_jis"),
    ("Привет, как дела сегодня? Хорошая погода, спасибо за ваше обращение в службу поддержки", "koi8-r"),
    ("Привет, как дела сегодня? Хорошая погода, спасибо за ваше обращение в службу поддержки", "cp1251"),
    (TRADITIONAL, "big5"),
    ("Les élèves français préfèrent l'été, où la forêt est très agréable et le café déjà prêt à côté.", "latin-1"),
    ("Über die Größe der schönen Häuser können wir später sprechen, für heute müssen wir schließen.", "latin-1"),
    ("It’s a “quoted” thing – really…", "cp1252"),
    ("สวัสดีครับ ขอบคุณที่ติดต่อเรา", "cp874"),
    ("Καλημέρα σας, ευχαριστώ πολύ για την επικοινωνία", "iso8859-7"),
    (
        "김철수 이영희 박지성 최민수 정다은 한지민 손흥민 서울특별시 강남구 테헤란로 부산광역시 해운대구 삼성전자",
        "euc-kr",
    ),
    ("東京都千代田区丸の内 大阪府大阪市北区 愛知県名古屋市 株式会社日立製作所 山田太郎 佐藤花子 鈴木一郎", "euc-jp"),
    ("иванов петров сидоров москва новосибирск екатеринбург лекарство таблетки аспирин", "koi8-r"),
    ("王小明 陳大文 林志玲 台北市信義區 高雄市前鎮區 阿斯匹靈 普拿疼 胃腸藥 感冒糖漿", "big5"),
    ("МОСКВА ИВАНОВ ПЕТРОВ ЛЕКАРСТВО АСПИРИН", "cp1251"),
    ("ΑΘΗΝΑ ΠΑΠΑΔΟΠΟΥΛΟΣ ΘΕΣΣΑΛΟΝΙΚΗ ΦΑΡΜΑΚΟ", "iso8859-7"),
]


@pytest.mark.parametrize(
    ("text", "encoding"), FOREIGN, ids=[f"{encoding}-{n}" for n, (_, encoding) in enumerate(FOREIGN)]
)
def test_bytes_of_other_languages_are_never_taken_for_chinese(tmp_path: Path, text: str, encoding: str) -> None:
    content = text.encode(encoding)
    try:
        assert encoding_of(tmp_path, content) == "utf-8"
    except UserError as error:
        assert error.reason == "is not UTF-8: 1 of 1 lines are not" and "iconv" in error.fix
    # even where decoding drops what is no GB18030, what is left must not look like Chinese
    left = content.decode("gb18030", "ignore")
    assert not is_plausible_chinese(Counter(character for character in left if not character.isascii()))


def test_one_byte_that_is_wrong_makes_a_gb18030_file_undecided_and_so_utf8(tmp_path: Path) -> None:
    assert encoding_of(tmp_path, CHINESE.encode("gb18030") + b"\xff") == "utf-8"
    assert encoding_of(tmp_path, CHINESE.encode("gb18030")[:-1]) == "utf-8"


NAMES = (
    "赵敏 钱伟 孙丽 李娜 周杰 吴磊 郑爽 王芳 冯雪 陈浩 褚鹏 卫涛 蒋欣 沈腾 韩雪 杨幂 朱婷 秦岚 尤靖 许晴 何洁 吕颂 "
    "施瑶 张涵 孔琳 曹颖 严屹 华晨 金巧 魏晨"
)
DRUGS = (
    "阿莫西林胶囊 布洛芬缓释片 盐酸氨溴索 头孢克肟颗粒 蒙脱石散 氯雷他定片 硝苯地平片 瑞舒伐他汀钙 奥美拉唑肠溶 "
    "维生素软膏 碘伏消毒棉签 葡萄糖酸锌 枸橼酸铋钾 厄贝沙坦 醋酸泼尼松"
)


@pytest.mark.parametrize("words", [NAMES, DRUGS], ids=["names", "drugs"])
@pytest.mark.parametrize("line", ['{{"text": "{} VIP customer ok"}}\n', "{},x\n"], ids=["jsonl", "csv"])
def test_lists_of_names_and_drugs_are_told(tmp_path: Path, words: str, line: str) -> None:
    text = "".join(line.format(word) for word in words.split())
    assert encoding_of(tmp_path, text.encode("gb18030")) == "gb18030"
    assert encoding_of(tmp_path, text.encode()) == "utf-8"


def test_a_gb18030_file_with_a_broken_line_stays_one(tmp_path: Path) -> None:
    lines = [f"{CHINESE}\n".encode("gb18030")] * 50
    assert encoding_of(tmp_path, b"".join([*lines, b"\xff broken\n"])) == "gb18030"


def test_few_rows_that_may_be_chinese_are_refused_and_never_half_decoded(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not UTF-8: 2 of 3 lines are not") as caught:
        encoding_of(tmp_path, "赵敏\n韩雪\nx\n".encode("gb18030"))
    assert "encoding: gb18030" in caught.value.fix and caught.value.where.endswith("a.txt")
    assert encoding_of(tmp_path, b"plain\n" * 50 + "für\n".encode("latin-1")) == "utf-8"


def test_a_long_line_is_one_line(tmp_path: Path) -> None:
    content = ("x" + CHINESE * (BLOCK // 60)).encode("gb18030")
    assert len(content) > BLOCK
    assert encoding_of(tmp_path, content) == "gb18030"


def test_utf8_with_a_broken_line_stays_utf8(tmp_path: Path) -> None:
    assert encoding_of(tmp_path, (CHINESE * 50).encode() + b"\xe9\n" + CHINESE.encode()) == "utf-8"
    assert encoding_of(tmp_path, CHINESE.encode() + CHINESE.encode("gb18030")) == "utf-8"
    lines = [f"{word}\n" for word in DRUGS.split()]
    assert encoding_of(tmp_path, "".join(lines).encode() + "".join(lines[:14]).encode("gb18030")) == "utf-8"


def test_a_byte_order_mark_is_passed_over_and_wide_encodings_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfabc")
    with SourceFile(path, "a.txt").open() as file:
        assert file.read() == b"abc"
    for content, name in (
        ("ab".encode("utf-16"), "UTF-16"),
        ("ab".encode("utf-16-be"), "UTF-16"),
        ("ab".encode("utf-32"), "UTF-32"),
    ):
        path.write_bytes(content)
        with pytest.raises(UserError, match=f"is {name}") as caught, SourceFile(path, "a.txt").open():
            pass
        assert f"iconv -f {name} -t UTF-8 'a.txt'" in caught.value.fix


def test_escaped_shows_what_does_not_decode() -> None:
    assert escaped(b"a\xe9b \xe4\xbd\xa0") == "a\\xe9b 你"


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_a_reader_knows_how_much_it_has_read(tmp_path: Path, suffix: str) -> None:
    rng = random.Random(0)
    for name in ("a", "b"):
        content = "".join(f'{{"text": "{CHINESE}{rng.random()}"}}\n' for _ in range(20_000)).encode("gb18030")
        (tmp_path / f"{name}.jsonl{suffix}").write_bytes(PACKERS[suffix](content) if suffix else content)
    reader = JsonlReader(JsonlSource(path=str(tmp_path)))
    assert reader.bytes_read()[0] == 0
    told = [reader.bytes_read() for _ in reader.chunks(1000)]
    whole = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert {size for _, size in told} == {whole}
    done = [share / whole for share, _ in told]
    # a block or two are read ahead
    assert done == sorted(done) and all(-0.01 <= share - (n + 1) / 40 < 0.5 for n, share in enumerate(done))
    assert done[0] < 0.5 and len(set(done)) >= 4 and reader.bytes_read() == (whole, whole)
