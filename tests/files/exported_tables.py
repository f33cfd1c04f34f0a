"""Tables as Excel, banks, shops and servers export them."""

from __future__ import annotations

from hugginggpt.capabilities import ValueType
from tests.files.input import Input
from tests.files.outcomes import Rows, grid

_UNSURE = "does not say in which encoding it is and was read as {}; save it as UTF-8 if it reads wrong"
_BANK = """\
"Konto";"DE02 1203 0000 0000 2020 51"
"Zeitraum";"01.03.2024 - 31.03.2024"
""
"Buchung";"Empfänger";"Betrag (EUR)"
"05.03.2024";"Vermieter";"-850,00"
"07.03.2024";"Arbeitgeber";"2.310,40"
"""

EXPORTS = (
    Input(
        "prices-german.csv",
        "Artikel;Größe;Preis\r\nTürschloß;groß;1.234,50\r\nSchlüssel;klein;8,90\r\n".encode("cp1252"),
        "Excel's export in German: Windows-1252, ; and 1.234,50",
        Rows(grid("Artikel|Größe|Preis", "Türschloß|groß|1.234,50", "Schlüssel|klein|8,90"), {"Preis": [1234.5, 8.9]}),
    ),
    Input(
        "prices-utf8.csv",
        'name,price\r\nCafé table,"1,234.50"\r\nLamp,8.90\r\n'.encode("utf-8-sig"),
        'Excel\'s "CSV UTF-8" in English: a mark at the beginning',
        Rows(grid("name|price", "Café table|1,234.50", "Lamp|8.90"), {"price": [1234.5, 8.9]}),
    ),
    Input(
        "libelle.csv",
        "Libellé;Montant\r\nThéâtre;1\xa0234,50\r\nMusée;-12,00\r\nGoûter;3,25\r\n".encode("cp1252"),
        "Excel's export in French: no-break spaces between thousands",
        Rows(
            grid("Libellé|Montant", "Théâtre|1\xa0234,50", "Musée|-12,00", "Goûter|3,25"),
            {"Montant": [1234.5, -12, 3.25]},
            notes=(_UNSURE.format("Windows-1252"),),
        ),
    ),
    Input(
        "zamowienia.csv",
        "Zamówienie;Kwota\r\nŻółta książka;12,50 zł\r\nŁódź i wiosło;1 234,00 zł\r\n".encode("cp1250"),
        "Excel's export in Polish: Windows-1250, zł",
        Rows(
            grid("Zamówienie|Kwota", "Żółta książka|12,50 zł", "Łódź i wiosło|1 234,00 zł"),
            {"Kwota": [12.5, 1234]},
            {"Kwota": "zł"},
        ),
    ),
    Input(
        "tovary.csv",
        "Товар;Цена\r\nНастольная лампа;1 234,50 руб.\r\nСтул деревянный;850,00 руб.\r\n".encode("cp1251"),
        "Excel's export in Russian: Windows-1251, руб.",
        Rows(
            grid("Товар|Цена", "Настольная лампа|1 234,50 руб.", "Стул деревянный|850,00 руб."),
            {"Цена": [1234.5, 850]},
            {"Цена": "₽"},
        ),
    ),
    Input(
        "chengji.csv",
        "姓名,城市,成绩\r\n张三,北京,95.5\r\n李四,上海,88\r\n".encode("gbk"),
        "Excel's export in Chinese: GBK",
        Rows(
            grid("姓名|城市|成绩", "张三|北京|95.5", "李四|上海|88"),
            {"成绩": [95.5, 88]},
            notes=(_UNSURE.format("GB 18030"),),
        ),
    ),
    Input(
        "uriage.csv",
        "商品名,価格\r\nノート,￥1234\r\nえんぴつ,￥80\r\n".encode("cp932"),
        "Excel's export in Japanese: Shift JIS, yen",
        Rows(
            grid("商品名|価格", "ノート|￥1234", "えんぴつ|￥80"),
            {"価格": [1234, 80]},
            {"価格": "¥"},
            notes=(_UNSURE.format("Shift JIS"),),
        ),
    ),
    Input(
        "unicode-text.txt",
        "Name\tPreis\r\nTür\t1.234,50\r\nSchloß\t8,90\r\n".encode("utf-16"),
        'Excel\'s "Unicode text": UTF-16 with tabs, named .txt',
        Rows(
            grid("Name|Preis", "Tür|1.234,50", "Schloß|8,90"),
            {"Preis": [1234.5, 8.9]},
            mime="text/plain",
            type=ValueType.TEXT,
        ),
    ),
    Input(
        "no-mark.csv",
        "name;Größe\r\nlämp;5\r\ndesk;7\r\n".encode("utf-16-le"),
        "a report server's UTF-16 without a mark",
        Rows(grid("name|Größe", "lämp|5", "desk|7"), {"Größe": [5, 7]}),
    ),
    Input(
        "konto.csv",
        _BANK.encode(),
        "a bank's export: account and period above the header",
        Rows(
            grid(
                "Buchung|Empfänger|Betrag (EUR)",
                "05.03.2024|Vermieter|-850,00",
                "07.03.2024|Arbeitgeber|2.310,40",
            ),
            {"Betrag (EUR)": [-850, 2310.4]},
        ),
    ),
    Input(
        "ids-protected.csv",
        b'account;amount\r\n="00123";5\r\n="04567";7\r\n',
        'a bank\'s ids kept from Excel as ="00123"',
        Rows(grid("account|amount", "00123|5", "04567|7"), {"amount": [5, 7]}),
    ),
    Input(
        "ids-quoted.csv",
        b'"account","amount"\r\n"=""00123""","=""5"""\r\n"=""04567""","=""7"""\r\n',
        'ids kept from Excel by a program that quotes every cell: "=""00123"""',
        Rows(grid("account|amount", "00123|5", "04567|7"), {"amount": [5, 7]}),
    ),
    Input(
        "formulas.csv",
        b'what,amount\r\n=1+1,5\r\n"=HYPERLINK(""http://127.0.0.1:9/"",""x"")",7\r\n',
        "cells that a spreadsheet program would compute: texts like any other",
        Rows(grid("what|amount", "=1+1|5", '=HYPERLINK("http://127.0.0.1:9/","x")|7'), {"amount": [5, 7]}),
    ),
    Input(
        "from-the-web.xls",
        b"name\tprice\r\nlamp\t58\r\ndesk\t349\r\n",
        "a web shop's .xls that is text with tabs",
        Rows(
            grid("name|price", "lamp|58", "desk|349"),
            {"price": [58, 349]},
            mime="text/tab-separated-values",
            notes=("is a TSV table; its ending says XLS",),
        ),
    ),
    Input(
        "export-as-excel.csv",
        b"name;price\r\nlamp;58,50\r\n",
        "a CSV that a server declares as Excel",
        Rows(
            grid("name|price", "lamp|58,50"),
            {"price": [58.5]},
            notes=("is a CSV table; it is declared as application/vnd.ms-excel",),
        ),
        served="application/vnd.ms-excel",
    ),
    Input(
        "export-as-text.csv",
        b"name,price\nlamp,58.5\n",
        "a CSV that a server declares as text (GitHub's raw files)",
        Rows(grid("name|price", "lamp|58.5"), {"price": [58.5]}),
        served="text/plain; charset=utf-8",
    ),
    Input(
        "export-as-bytes.csv",
        "name;preis\nTür;58,5\n".encode(),
        "a CSV that a server declares as a download of any bytes",
        Rows(grid("name|preis", "Tür|58,5"), {"preis": [58.5]}),
        served="application/octet-stream",
    ),
    Input(
        "latin1-served.csv",
        "name,city\nJosé,Málaga\nZoë,Köln\n".encode("latin-1"),
        "a CSV whose server declares its charset",
        Rows(grid("name|city", "José|Málaga", "Zoë|Köln")),
        served="text/csv; charset=ISO-8859-1",
    ),
)
