"""The language of a collection, by its function words: it decides which stemmer BM25 uses."""

import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import get_args

from curate import sql_files
from curate.config import Language
from curate.mine.tokens import tokens
from curate.workspace import Workspace

LOOKED_AT = 1000  # passages
EVIDENCE = 0.04  # the share of the words of a passage that must be function words of its language
MAJORITY = 0.75  # its share of the passages whose language shows
QUORUM = 1 / 3  # its share of all passages

# Frequent function words. Languages without a stemmer are here too, so that they are not taken for a relative.
FUNCTION_WORDS = {
    "arabic": "في من على إلى أن التي عن مع هذا كان هذه الذي ما لا بين كما أو بعد قد كانت ماذا متى أين كم كيف",
    "danish": "og i at det er en til af på for med den der som de et ikke har fra var blev eller også efter sig",
    "dutch": "de van het een en in is dat op te zijn met voor die niet aan er om ook als door was bij werd wordt",
    "english": "the of and to in is that for it as was with be by on not are this or from at which what how an",
    "finnish": "ja on ei se että oli hän ovat mutta myös kuin sen joka tai kun jossa sekä olla vuonna hänen jonka",
    "french": "de la le les et des en un du une est que dans il qui par pour au sur pas ne sont avec ce plus ou",
    "german": "der die und in den von zu das mit ist des im dem nicht ein eine auf für als auch wird war sich",
    "hungarian": "a az és hogy nem is egy volt van meg el ezt azt csak mint de már vagy ha egyik után között",
    "italian": "di e il la che in un del è per della una i con non le si da al dei sono nel gli alla più come",
    "norwegian": "og i det er en til av på for med den som de et ikke har fra var ble eller også etter seg kan å",
    "portuguese": "de a o que e do da em um para com não uma os no se na por mais as dos como foi ao das à são",
    "romanian": "de și în a la cu pe din care au fost un o al este nu sau mai pentru prin lui ale că ce unde când",
    "russian": "и в не на что с по как из к он от это для был у его а за до или при также во о были было так но",
    "spanish": "de la que el en y a los del se las por un para con una su al lo como más es fue entre son no",
    "swedish": "och i att det en som är av på för med den till de inte ett har från var om eller också efter sig",
    "turkish": "ve bir bu da de için ile olarak olan en daha çok gibi kadar ne hangi nasıl kim kaç nerede neden",
    "afrikaans": "die van en in is het n wat nie te vir met dit op aan deur was ook sy as word hy of by na",
    "basque": "eta da ez bat zen du ere zuen dira dute izan baina egin bere ziren beste den hau",
    "bulgarian": "на и в е за от се с да по не като са до което през си който след това те той или при че",
    "catalan": "de la i el a que en els les per amb un una és del va dels al no es més com les seva aquest van",
    "croatian": "i u je na se da za su od s kao koji a iz bio ili što to po te koja sa nije biti",
    "czech": "a v se na je že s z do i o to byl jako ve za od k po pro která který jsou nebo není",
    "esperanto": "la kaj de en estas al ne ke por kun li el estis kiu pri oni ĝi sed kiel",
    "estonian": "ja on ei oli et kui see ka oma aga või mis tema seda mida selle olid ning",
    "galician": "de a o que e do da en un para con non unha os no se na por máis as dos como foi ao das ó polo",
    "indonesian": "yang dan di dengan untuk dari pada ini dalam itu adalah tidak oleh sebagai akan ke juga atau",
    "latvian": "un ir no ar par uz kas tika kā arī bija gada pēc tas vai",
    "lithuanian": "ir yra į iš su kad buvo kaip apie tai po bei nuo arba jo",
    "persian": "و در به از که این را با است برای آن یک می های بود شد شده خود بر تا",
    "polish": "w i na z do się jest nie to że o od po jak przez a za dla ze są był oraz lub który",
    "slovak": "a v sa na je že s z do o to bol ako vo za od k po pre ktorá ktorý sú alebo nie",
    "slovene": "in v je na se za so da s z ki ne tudi kot po od pri bil pa iz ali",
    "swahili": "na ya wa kwa ni katika za la cha kuwa hii yake kama hiyo huo",
    "tagalog": "ang ng sa na mga at ay si ni ito para kung hindi mula noong siya",
    "ukrainian": "і в на з що до у не та за як від є це його для він про або був при також",
    "urdu": "کے کی میں اور ہے سے کا کو پر نے ہیں یہ اس تھا بھی ایک",
    "vietnamese": "của và là các có được trong cho một người những với không này đã từ khi năm đến",
}
SCRIPTS = {
    "greek": re.compile("[Ͱ-Ͽἀ-῿]"),
    "tamil": re.compile("[\u0b80-\u0bff]"),
}  # in which one language is written


def language_of(workspace: Workspace) -> Language:
    """Return the language of the collection, by a look at passages drawn by hash."""
    with workspace.connect_lazily() as connection:
        rows = sql_files.select(connection, "mine/passages_to_look_at", size=LOOKED_AT).fetchall()
    return language_of_texts(text for (text,) in rows)


def language_of_texts(texts: Iterable[str]) -> Language:
    """Return the language that most texts are in; `none` if there is no such language or no stemmer for it."""
    found = [_language_of_text(text) for text in texts]
    shown = Counter(language for language in found if language)
    stemmed: dict[str, Language] = {name: name for name in get_args(Language)}
    for language, count in shown.most_common(1):
        if count >= MAJORITY * shown.total() and count >= QUORUM * len(found):
            return stemmed.get(language, "none")
    return "none"


def _language_of_text(text: str) -> str | None:
    words = tokens(text, query=True)
    counts = Counter(language for word in words for language in _languages_with(word))
    [(best, most), (_, second)] = [*counts.most_common(2), ("", 0), ("", 0)][:2]
    return best if most > second and most >= EVIDENCE * len(words) else None


def _languages_with(word: str) -> Iterable[str]:
    """Return the languages that have this function word, or that are written in its script."""
    return _function_words().get(word) or [name for name, script in SCRIPTS.items() if script.match(word)]


@cache
def _function_words() -> dict[str, list[str]]:
    languages: dict[str, list[str]] = {}
    for language, words in FUNCTION_WORDS.items():
        for word in set(tokens(words, query=True)):
            languages.setdefault(word, []).append(language)
    return languages
