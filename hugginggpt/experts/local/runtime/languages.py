"""Languages by their names and codes, and the codes that translation models use."""

import re

CODES = {
    "af": "afr_Latn", "am": "amh_Ethi", "ar": "arb_Arab", "as": "asm_Beng", "az": "azj_Latn", "ba": "bak_Cyrl",
    "be": "bel_Cyrl", "bg": "bul_Cyrl", "bn": "ben_Beng", "bo": "bod_Tibt", "bs": "bos_Latn", "ca": "cat_Latn",
    "cs": "ces_Latn", "cy": "cym_Latn", "da": "dan_Latn", "de": "deu_Latn", "el": "ell_Grek", "en": "eng_Latn",
    "es": "spa_Latn", "et": "est_Latn", "eu": "eus_Latn", "fa": "pes_Arab", "fi": "fin_Latn", "fo": "fao_Latn",
    "fr": "fra_Latn", "gl": "glg_Latn", "gu": "guj_Gujr", "ha": "hau_Latn", "he": "heb_Hebr", "hi": "hin_Deva",
    "hr": "hrv_Latn", "ht": "hat_Latn", "hu": "hun_Latn", "hy": "hye_Armn", "id": "ind_Latn", "is": "isl_Latn",
    "it": "ita_Latn", "ja": "jpn_Jpan", "jw": "jav_Latn", "ka": "kat_Geor", "kk": "kaz_Cyrl", "km": "khm_Khmr",
    "kn": "kan_Knda", "ko": "kor_Hang", "lb": "ltz_Latn", "ln": "lin_Latn", "lo": "lao_Laoo", "lt": "lit_Latn",
    "lv": "lvs_Latn", "mg": "plt_Latn", "mi": "mri_Latn", "mk": "mkd_Cyrl", "ml": "mal_Mlym", "mn": "khk_Cyrl",
    "mr": "mar_Deva", "ms": "zsm_Latn", "mt": "mlt_Latn", "my": "mya_Mymr", "ne": "npi_Deva", "nl": "nld_Latn",
    "nn": "nno_Latn", "no": "nob_Latn", "oc": "oci_Latn", "pa": "pan_Guru", "pl": "pol_Latn", "ps": "pbt_Arab",
    "pt": "por_Latn", "ro": "ron_Latn", "ru": "rus_Cyrl", "sa": "san_Deva", "sd": "snd_Arab", "si": "sin_Sinh",
    "sk": "slk_Latn", "sl": "slv_Latn", "sn": "sna_Latn", "so": "som_Latn", "sq": "als_Latn", "sr": "srp_Cyrl",
    "su": "sun_Latn", "sv": "swe_Latn", "sw": "swh_Latn", "ta": "tam_Taml", "te": "tel_Telu", "tg": "tgk_Cyrl",
    "th": "tha_Thai", "tk": "tuk_Latn", "tl": "tgl_Latn", "tr": "tur_Latn", "tt": "tat_Cyrl", "uk": "ukr_Cyrl",
    "ur": "urd_Arab", "uz": "uzn_Latn", "vi": "vie_Latn", "yi": "ydd_Hebr", "yo": "yor_Latn", "yue": "yue_Hant",
    "zh": "zho_Hans",
}  # fmt: skip
"""The FLORES-200 code (arXiv 2207.04672), which NLLB uses, of each ISO 639-1 code that Whisper uses."""

_OWN_NAMES = {
    "deutsch": "de", "français": "fr", "francais": "fr", "español": "es", "espanol": "es", "italiano": "it",
    "português": "pt", "portugues": "pt", "nederlands": "nl", "polski": "pl", "русский": "ru", "українська": "uk",
    "中文": "zh", "汉语": "zh", "日本語": "ja", "한국어": "ko", "العربية": "ar", "हिन्दी": "hi", "हिंदी": "hi",
    "türkçe": "tr", "svenska": "sv", "dansk": "da", "norsk": "no", "suomi": "fi", "čeština": "cs", "magyar": "hu",
    "ελληνικά": "el", "română": "ro", "עברית": "he", "tiếng việt": "vi", "ไทย": "th", "farsi": "fa", "kiswahili": "sw",
}  # fmt: skip

_TERMINOLOGICAL = {"ger": "de", "fre": "fr", "chi": "zh", "dut": "nl", "gre": "el", "cze": "cs", "rum": "ro"}
"""Three-letter codes of ISO 639-2 that ISO 639-3 does not have."""


def find_language(said: str) -> str | None:
    """The code in `CODES` of a language, by its name or any of its codes; None if it is unknown.

    Args:
        said: the name in English or in the language itself, or a code of two or three letters, with a country
            or script or without, in any case: "German", "deutsch", "de", "de-AT", "deu_Latn".
    """
    from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

    wanted = " ".join(said.strip().lower().split())
    named = TO_LANGUAGE_CODE.get(wanted) or _OWN_NAMES.get(wanted)
    if named is not None:
        return str(named)
    code = re.split(r"[-_]", wanted)[0]
    if code in CODES:
        return code
    by_three = {flores[:3]: two for two, flores in CODES.items()}
    return by_three.get(code) or _TERMINOLOGICAL.get(code)


def language_name(code: str) -> str:
    """The English name of a language in `CODES`, capitalised."""
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    return str(LANGUAGES.get(code, code)).title()
