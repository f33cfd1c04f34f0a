"""The currencies and units that stand beside a number."""

SIGNS = "$¢£¤¥؋৳฿₠-₿﷼﹩＄￠￡￥￦"
"""Currency signs, as the inside of a class of a regular expression."""

_CURRENCIES = {
    "$": "$ US$ USD ＄ ﹩",
    "€": "€ EUR Euro Euros",
    "£": "£ GBP ￡",
    "¥": "¥ JPY ￥ JP¥ 円",
    "CNY": "CNY RMB CN¥ 元",
    "₹": "₹ INR Rs Rs.",
    "CHF": "CHF SFr SFr. Fr Fr.",
    "₽": "₽ RUB руб руб. р.",
    "₩": "₩ KRW ￦ 원",
    "R$": "R$ BRL",
    "kr": "kr kr.",
    "zł": "zł PLN",
    "Kč": "Kč CZK",
    "Ft": "Ft HUF",
    "₺": "₺ TRY TL",
    "₴": "₴ UAH",
    "₪": "₪ ILS NIS",
    "฿": "฿ THB",
    "₫": "₫ VND đ",
    "lei": "lei RON",
    "Rp": "Rp Rp. IDR",
    "RM": "RM MYR",
    "CAD": "CAD C$ CA$",
    "AUD": "AUD A$ AU$",
    "NZD": "NZD NZ$",
    "HKD": "HKD HK$",
    "SGD": "SGD S$",
    "TWD": "TWD NT$",
    "MXN": "MXN MX$ Mex$",
    "¢": "¢ ￠ ct ct. Cent",
}
_BY_CODE = (
    "SEK NOK DKK ISK ZAR AED SAR QAR KWD BHD EGP MAD NGN KES GHS ARS CLP COP PEN UYU BGN RSD HRK GEL KZT PKR LKR "
)
_BY_SIGN = "₠₡₢₣₤₥₦₧₨₭₮₯₰₱₲₳₵₶₷₸₻₼₾₿¤؋৳﷼"
_MEASURES = (
    "% ‰ kg g mg µg t lb lbs oz km m cm mm µm mi ft yd in l ml L cl hl gal °C °F ° h hr hrs min s sec ms ns "
    "Hz kHz MHz GHz W kW MW GW kWh MWh GWh Wh V mA kJ kcal cal Pa kPa hPa bar psi km/h mph m/s m² km² ha m³ cm³ "
    "kB KB MB GB TB px dpi ppm pcs Stk Stk. St. Stück"
)

_UNITS = (
    {spelling.casefold(): unit for unit, spellings in _CURRENCIES.items() for spelling in spellings.split()}
    | {code.casefold(): code for code in _BY_CODE.split()}
    | {sign: sign for sign in _BY_SIGN}
)
_EXACT = frozenset(_MEASURES.split())


def unit_of(written: str) -> str | None:
    """The currency or unit that these characters stand for, one spelling for each; None if they stand for none."""
    return written if written in _EXACT else _UNITS.get(written.casefold())
