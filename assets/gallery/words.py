"""The few words of the gallery that stand on no page, in each language of the front page."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """What buttons and short links say."""

    language: str
    """As HTML names it."""
    itself: str
    """The language, in the language."""
    stop_sign: str
    """What ends a sentence."""
    skip: str
    begin: str
    play: str
    stop: str
    walk: str
    """The link to the page of `knock explore`."""
    repository: str
    pages: str
    """What the links to the other pages are called for a screen reader."""
    others: dict[str, str]
    """The short names of other pages."""
    source: str


OF = {
    "README.md": Words(
        language="en",
        itself="English",
        stop_sign=".",
        skip="Skip to the questions",
        begin="Begin with 01",
        play="Play the film",
        stop="Stop the film",
        walk="Walk through it yourself",
        repository="Repository",
        pages="Other pages",
        others={
            "GUIDE.md": "Guide",
            "TEACHING.md": "Teaching",
            "CONTRIBUTING.md": "Contributing",
        },
        source="This page in the repository",
    ),
    "README.ja.md": Words(
        language="ja",
        itself="日本語",
        stop_sign="。",
        skip="問題の一覧へ",
        begin="01 から始める",
        play="動画を再生",
        stop="動画を停止",
        walk="自分で歩いてみる",
        repository="リポジトリ",
        pages="ほかのページ",
        others={
            "GUIDE.md": "ガイド",
            "TEACHING.md": "授業で使う",
            "CONTRIBUTING.md": "開発に参加する",
        },
        source="リポジトリでこのページを見る",
    ),
}
"""By the README that a front page is made of."""
