"""The language of a collection, which chooses the stemmer of BM25."""

from collections.abc import Callable
from typing import get_args

import pytest

import curate
from curate.cli.mine import LANGUAGES
from curate.config import Language
from curate.mine.language import FUNCTION_WORDS, SCRIPTS, language_of_texts
from curate.workspace import Workspace

SENTENCES = {
    "arabic": "تقع المدينة على نهر كبير في الجنوب، وهي من أقدم المدن التي كانت عاصمة للدولة.",
    "danish": "Byen ligger ved en flod og blev grundlagt af en konge, som også var kendt for sin hær.",
    "dutch": "De stad ligt aan een rivier en werd door een koning gesticht, die ook om het leger bekend was.",
    "english": "The city lies on a river and was founded by a king who was also known for the size of his army.",
    "finnish": "Kaupunki on joen rannalla ja sen perusti kuningas, joka oli tunnettu myös siitä, että hän ei.",
    "french": "La ville est au bord du fleuve et elle fut fondée par un roi qui était aussi connu pour les arts.",
    "german": "Die Stadt liegt an einem Fluss und wurde von einem König gegründet, der auch für das Heer bekannt.",
    "greek": "Η πόλη βρίσκεται κοντά στο ποτάμι και ιδρύθηκε από έναν βασιλιά.",
    "hungarian": "A város egy folyó mellett van, és az a király alapította, aki nem csak a hadseregéről volt.",
    "italian": "La città si trova sulla riva del fiume ed è stata fondata da un re che era noto anche per le.",
    "norwegian": "Byen ligger ved en elv og ble grunnlagt av en konge som også var kjent for å ha en stor hær.",
    "portuguese": "A cidade fica na margem do rio e foi fundada por um rei que era conhecido também pelas artes.",
    "romanian": "Orașul se află pe malul unui râu și a fost întemeiat de un rege care este cunoscut și pentru.",
    "russian": "Город стоит на реке и был основан королём, который был известен не только как полководец.",
    "spanish": "La ciudad está en la orilla del río y fue fundada por un rey que es conocido también por las.",
    "swedish": "Staden ligger vid en flod och är grundad av en kung som också var känd för att inte ha en armé.",
    "tamil": "நகரம் ஆற்றின் கரையில் உள்ளது, அது ஒரு மன்னரால் நிறுவப்பட்டது.",
    "turkish": "Şehir bir nehir kıyısında yer alır ve sanat için çok para harcayan bir kral tarafından.",
}
WITHOUT_STEMMER = {
    "catalan": "La ciutat és a la riba del riu i va ser fundada per un rei que també era conegut per les arts.",
    "chinese": "这座城市位于河边，由一位国王建立。",
    "czech": "Město leží na řece a založil je král, který byl známý také tím, že se o umění staral.",
    "hindi": "यह शहर नदी के किनारे है और इसे एक राजा ने बसाया था।",
    "indonesian": "Kota ini terletak di tepi sungai dan didirikan oleh seorang raja yang juga dikenal karena.",
    "korean": "도시는 강가에 있으며 왕이 세웠다.",
    "persian": "این شهر در کنار رود است و آن را پادشاهی که به هنر شناخته می شد ساخت.",
    "polish": "Miasto leży nad rzeką i zostało założone przez króla, który był znany także z tego, że nie.",
    "ukrainian": "Місто стоїть на річці, його заснував король, що був відомий також як полководець.",
    "vietnamese": "Thành phố nằm bên sông và được một vị vua lập ra, người đã nổi tiếng với nghệ thuật.",
}


@pytest.mark.parametrize(("language", "sentence"), SENTENCES.items())
def test_a_language_with_a_stemmer_is_recognised(language: str, sentence: str) -> None:
    """One sentence of some fifteen words is enough."""
    assert language_of_texts([sentence]) == language


@pytest.mark.parametrize(("language", "sentence"), WITHOUT_STEMMER.items())
def test_a_language_without_a_stemmer_is_not_taken_for_its_relative(language: str, sentence: str) -> None:
    """Catalan is not stemmed as Spanish, nor Ukrainian as Russian."""
    assert language_of_texts([sentence]) == "none", language


def test_a_few_passages_in_another_language_do_not_matter() -> None:
    """Three quarters of the passages whose language shows decide."""
    english, german = SENTENCES["english"], SENTENCES["german"]

    assert language_of_texts([english] * 8 + [german] * 2) == "english"
    assert language_of_texts([english] * 6 + [german] * 4) == "none"


def test_passages_without_a_language_leave_the_choice_to_the_others_unless_they_are_most() -> None:
    """Titles and numbers show no language."""
    assert language_of_texts([SENTENCES["english"]] * 4 + ["USB 3.0 hub"] * 6) == "english"
    assert language_of_texts([SENTENCES["english"]] * 3 + ["USB 3.0 hub"] * 7) == "none"
    assert language_of_texts([]) == "none"


def test_every_language_of_the_option_can_be_recognised() -> None:
    """The option, the type of the setting and the tables name the same languages."""
    assert get_args(Language) == tuple(LANGUAGES)
    assert set(LANGUAGES) - {"none"} == set(SENTENCES) <= FUNCTION_WORDS.keys() | SCRIPTS.keys()


def test_mine_looks_at_the_passages_unless_the_language_is_given(make_workspace: Callable[..., Workspace]) -> None:
    """The language stands in the run's row. With another language it is another run."""
    workspace = make_workspace(
        {"p1": "The dogs that ran to the house of the king."}, {"q1": "running dog"}, qrels=[("q1", "p1")]
    )

    looked, given = curate.mine(workspace), curate.mine(workspace, language="none")

    assert (looked.language, looked.candidates) == ("english", 1)
    assert (given.language, given.candidates) == ("none", 0)
    assert curate.mine(workspace, language="english").run_id == looked.run_id
    assert "English" in curate.plan_mine(workspace, depth=5).text()
    assert sorted(workspace.scan("runs").collect()["language"]) == ["english", "none"]
