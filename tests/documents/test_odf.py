from hugginggpt.documents.model import ODS, ODT
from hugginggpt.media.values import Table
from tests.documents.builders import contents, zipped

_PREFIXES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for name in ("office", "text", "table", "draw", "style")
)


def document(body: str) -> bytes:
    content = f"<office:document-content {_PREFIXES}><office:body>{body}</office:body></office:document-content>"
    return zipped({"content.xml": content})


def test_headers_and_footers_are_read_once() -> None:
    margins = "".join(
        f"<style:master-page><style:{kind}><text:p>{text}</text:p></style:{kind}></style:master-page>"
        for kind, text in (("header", "Smith Ltd"), ("header-first", "Smith Ltd"), ("footer", "Tel. 123"))
    )
    styles = f"<office:document-styles {_PREFIXES}><office:master-styles>{margins}</office:master-styles>"
    members = {
        "content.xml": f"<office:document-content {_PREFIXES}><office:body><office:text><text:p>Hello.</text:p>"
        "</office:text></office:body></office:document-content>",
        "styles.xml": styles + "</office:document-styles>",
    }
    assert contents(zipped(members), ODT).text == "Smith Ltd\nHello.\nTel. 123"


def test_an_odt_is_read_in_its_order() -> None:
    body = (
        "<office:text><text:tracked-changes><text:p>gone</text:p></text:tracked-changes><text:h>Title</text:h>"
        "<text:p>A<text:s text:c='2'/>b<text:tab/>c <text:span>d</text:span>"
        "<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>Note.</text:p></text:note-body>"
        "</text:note></text:p><text:list><text:list-item><text:p>x</text:p></text:list-item></text:list>"
        "<table:table><table:table-row><table:table-cell><text:p>Month</text:p></table:table-cell><table:table-cell>"
        "<text:p>Sold</text:p></table:table-cell></table:table-row><table:table-row><table:table-cell><text:p>May</text:p>"
        "</table:table-cell><table:table-cell><text:p>5</text:p></table:table-cell></table:table-row></table:table>"
        "</office:text>"
    )
    read = contents(document(body), ODT)
    assert read.text == "Title\nA  b\tc d[1]\n- x\n\nMonth | Sold\nMay | 5\n\n[1] Note."
    assert read.tables == (Table(("Month", "Sold"), (("May", "5"),)),)


def test_an_ods_has_sheets() -> None:
    body = (
        "<office:spreadsheet><table:table table:name='One'><table:table-row><table:table-cell><text:p>Day</text:p>"
        "</table:table-cell><table:table-cell><text:p>Sold</text:p></table:table-cell></table:table-row>"
        "<table:table-row><table:table-cell office:value-type='date' office:date-value='2024-05-01'>"
        "<text:p>1.5.24</text:p></table:table-cell><table:table-cell office:value-type='float' office:value='1234.5'>"
        "<text:p>1.234,5</text:p>"
        "</table:table-cell></table:table-row><table:table-row table:number-rows-repeated='1048570'>"
        "<table:table-cell table:number-columns-repeated='16384'/></table:table-row></table:table></office:spreadsheet>"
    )
    read = contents(document(body), ODS)
    assert read.tables == (Table(("Day", "Sold"), (("2024-05-01", "1234.5"),)),)
    assert read.text == "[sheet One]\nDay,Sold\n2024-05-01,1234.5"
