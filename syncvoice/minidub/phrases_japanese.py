"""The phrase bank in Japanese, polite style: particles stand with their nouns. All wording is ours."""

from collections.abc import Callable

from syncvoice.minidub.phrases import Content

_SUBJECTS = {
    "I": "私は",
    "we": "私たちは",
    "they": "彼らは",
    "you": "あなたは",
    "my mother": "母は",
    "my father": "父は",
    "my friend": "友達は",
    "the teacher": "先生は",
    "the doctor": "医者は",
    "the students": "学生たちは",
    "the girl": "女の子は",
    "the boys": "男の子たちは",
}
_TIMES = {
    "today": "今日",
    "tomorrow": "明日",
    "tonight": "今夜",
    "next week": "来週",
    "every day": "毎日",
    "on Friday": "金曜日に",
    "this year": "今年",
}
# Object, and the stems of its verb before ます (will), before ます of the potential (can), before ないと (must).
_ACTIONS = {
    "buy new books": ("新しい 本を", "買い", "買え", "買わ"),
    "buy some bread": ("パンを", "買い", "買え", "買わ"),
    "drink hot tea": ("熱い お茶を", "飲み", "飲め", "飲ま"),
    "drink cold water": ("冷たい 水を", "飲み", "飲め", "飲ま"),
    "drink milk": ("牛乳を", "飲み", "飲め", "飲ま"),
    "cook dinner": ("夕食を", "作り", "作れ", "作ら"),
    "cook fish": ("魚を", "焼き", "焼け", "焼か"),
    "eat noodles": ("麺を", "食べ", "食べられ", "食べ"),
    "eat apples": ("りんごを", "食べ", "食べられ", "食べ"),
    "read the letter": ("手紙を", "読み", "読め", "読ま"),
    "write a letter": ("手紙を", "書き", "書け", "書か"),
    "watch a film": ("映画を", "見", "見られ", "見"),
    "play football": ("サッカーを", "し", "でき", "し"),
    "sing a song": ("歌を", "歌い", "歌え", "歌わ"),
    "dance": ("", "踊り", "踊れ", "踊ら"),
    "learn to swim": ("水泳を", "習い", "習え", "習わ"),
    "learn English": ("英語を", "習い", "習え", "習わ"),
    "clean the kitchen": ("台所を", "掃除し", "掃除でき", "掃除し"),
    "wash the car": ("車を", "洗い", "洗え", "洗わ"),
    "wash the clothes": ("服を", "洗い", "洗え", "洗わ"),
    "open the door": ("ドアを", "開け", "開けられ", "開け"),
    "close the window": ("窓を", "閉め", "閉められ", "閉め"),
    "feed the dog": ("犬に 餌を", "やり", "やれ", "やら"),
    "find the key": ("鍵を", "見つけ", "見つけられ", "見つけ"),
    "go to school": ("学校へ", "行き", "行け", "行か"),
    "go to the park": ("公園へ", "行き", "行け", "行か"),
    "go to the station": ("駅へ", "行き", "行け", "行か"),
    "go home": ("家へ", "帰り", "帰れ", "帰ら"),
    "go to the sea": ("海へ", "行き", "行け", "行か"),
    "take the train": ("電車に", "乗り", "乗れ", "乗ら"),
    "ride a horse": ("馬に", "乗り", "乗れ", "乗ら"),
    "rest": ("", "休み", "休め", "休ま"),
    "meet a friend": ("友達に", "会い", "会え", "会わ"),
    "draw a tree": ("木を", "描き", "描け", "描か"),
    "climb the mountain": ("山に", "登り", "登れ", "登ら"),
    "help the children": ("子供たちを", "助け", "助けられ", "助け"),
}
_ENDINGS = {"will": (1, "ます"), "can": (2, "ます"), "must": (3, "ないと")}
_ADJECTIVES = {
    "red": "赤い",
    "blue": "青い",
    "white": "白い",
    "black": "黒い",
    "green": "緑の",
    "yellow": "黄色い",
    "new": "新しい",
    "old": "古い",
    "small": "小さい",
    "big": "大きい",
}
_THINGS = {
    "apple": "りんご",
    "book": "本",
    "cat": "猫",
    "dog": "犬",
    "cup": "カップ",
    "hat": "帽子",
    "key": "鍵",
    "phone": "電話",
    "coat": "コート",
    "shoe": "靴",
    "umbrella": "傘",
    "ball": "ボール",
    "bag": "かばん",
    "picture": "絵",
    "apples": "りんご",
    "cups": "カップ",
    "balls": "ボール",
    "bags": "かばん",
    "hats": "帽子",
    "boxes": "箱",
}
_ANIMATE = ("cat", "dog")
_PLACES = {
    "on the table": "テーブルの 上に",
    "under the bed": "ベッドの 下に",
    "in the kitchen": "台所に",
    "in the garden": "庭に",
    "in the car": "車の 中に",
    "at the door": "ドアの 前に",
    "by the window": "窓の そばに",
    "in the box": "箱の 中に",
    "in the room": "部屋に",
    "at school": "学校に",
}
_CITIES = {
    "Beijing": "北京は",
    "Shanghai": "上海は",
    "London": "ロンドンは",
    "Paris": "パリは",
    "New York": "ニューヨークは",
    "the village": "村は",
    "this city": "この 町は",
}
_QUALITIES = {
    "cold": "寒いです",
    "hot": "暑いです",
    "quiet": "静かです",
    "busy": "にぎやかです",
    "beautiful": "美しいです",
    "safe": "安全です",
}
_VERBS = {
    "need": ("が", "必要です"),
    "have": ("を", "持っています"),
    "see": ("を", "見ます"),
    "bought": ("を", "買いました"),
    "found": ("を", "見つけました"),
}
_NUMBERS = dict(
    zip(
        ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
        ("二つ", "三つ", "四つ", "五つ", "六つ", "七つ", "八つ", "九つ", "十個"),
        strict=True,
    )
)


def say(content: Content) -> tuple[str, ...]:
    """Return the words of a phrase of the bank."""
    return tuple(_SAYINGS[content.template](*content.parts).split())


def _action(who: str, modal: str, action: str, time: str) -> str:
    form, ending = _ENDINGS[modal]
    forms = _ACTIONS[action]
    return f"{_SUBJECTS[who]} {_TIMES[time]} {forms[0]} {forms[form]}{ending}"


def _is(thing: str) -> str:
    return "います" if thing in _ANIMATE else "あります"


def _place(kind: str, thing: str, place: str) -> str:
    return f"{_ADJECTIVES[kind]} {_THINGS[thing]}は {_PLACES[place]} {_is(thing)}"


def _city(city: str, quality: str, time: str) -> str:
    return f"{_CITIES[city]} {_TIMES[time]} とても {_QUALITIES[quality]}"


def _count(who: str, verb: str, number: str, kind: str, things: str) -> str:
    particle, said = _VERBS[verb]
    return f"{_SUBJECTS[who]} {_ADJECTIVES[kind]} {_THINGS[things]}{particle} {_NUMBERS[number]} {said}"


def _question(thing: str, place: str) -> str:
    return f"私の {_THINGS[thing]}は {_PLACES[place]} {_is(thing)}か"


_SAYINGS: dict[str, Callable[..., str]] = {
    "action": _action,
    "place": _place,
    "city": _city,
    "count": _count,
    "question": _question,
}
