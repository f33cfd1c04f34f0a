"""Questions about tables are answered by rule, exactly, or declined."""

import random
import string
import time
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hugginggpt.deadline import Deadline
from hugginggpt.documents.sheets import joined
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import ExpertContext
from hugginggpt.experts.embedded import EXPERTS, table_question_answering
from hugginggpt.experts.embedded.table_questions.answering import answer
from hugginggpt.media import Table, Text
from hugginggpt.settings import Settings
from tests.experts import question_tables
from tests.experts.question_tables import EXPENSES, PRICES, SALES, STAFF, table

ASKED = {
    "SALES": [
        ("Which month sold most?", "March (240)"),
        ("Which month did we sell the most?", "March (240)"),
        ("What is the revenue in March?", "€3,600.00"),
        ("How many units were sold in total?", "635"),
        ("total revenue", "€9,525.00"),
        ("What was the average revenue?", "€2,381.25"),
        ("Which month had the lowest revenue?", "February (€1,425.00)"),
        ("best month", "By Sold: March (240); By Revenue: March (€3,600.00)"),
        ("difference in revenue between March and April", "€900.00 (March €3,600.00, April €2,700.00)"),
        ("How much more did we sell in March than in April?", "60 (March 240, April 180)"),
        ("What percentage of revenue came from March?", "37.8% (€3,600.00 of €9,525.00)"),
        ("Which months sold more than 150?", "March, April"),
        ("the two best months by revenue", "March (€3,600.00), April (€2,700.00)"),
        ("How many months are there?", "4 (January, February, March, April)"),
        ("In which month did we make the least money?", "By Sold: February (95); By Revenue: February (€1,425.00)"),
    ],
    "STAFF": [
        ("Who has the highest salary?", "Dee Park (£61,000)"),
        ("How many people work in Leeds?", "3 (Ada Lovelace, Cyd Rivers, Eli Marsh)"),
        ("phone number of Ada", "0113 496 0101"),
        ("Who is the oldest?", "Dee Park (51)"),
        ("Where does Bob work?", "York"),
        ("Which department has the most people?", "Engineering and Sales (2)"),
        ("What is the average salary in Leeds?", "£40,916.67"),
        ("How old is Cyd?", "29"),
        ("Who earns more than 40000?", "Ada Lovelace, Cyd Rivers, Dee Park"),
        ("Who is older than 40?", "Bob Stone, Dee Park"),
        ("Who earns more than Bob?", "Ada Lovelace, Cyd Rivers, Dee Park"),
        ("List the names", "Ada Lovelace, Bob Stone, Cyd Rivers, Dee Park, Eli Marsh"),
        ("What is the total salary of the Sales department?", "£79,500"),
        ("Who works in Sales?", "Bob Stone, Cyd Rivers"),
        ("What is the salary of the youngest employee?", "£29,750 (Eli Marsh, 24)"),
        ("How many different cities are there?", "3 (Leeds, York, Hull)"),
        ("Which city has the highest average salary?", "Hull (£61,000 on average)"),
        ("What's the second highest salary?", "£52,000 (Ada Lovelace)"),
        (
            "Name the three highest paid people",
            "Dee Park (£61,000), Ada Lovelace (£52,000), Cyd Rivers (£41,000)",
        ),
        ("When did Ada start?", "2019-03-01"),
        ("Who started last?", "Eli Marsh (2023-09-18)"),
        ("Who joined before 2016?", "Bob Stone, Dee Park"),
        ("How many people started after 2018?", "3 (Ada Lovelace, Cyd Rivers, Eli Marsh)"),
        ("How many employees are under 30?", "2 (Cyd Rivers, Eli Marsh)"),
        ("Who isn't in Leeds?", "Bob Stone, Dee Park"),
        ("What percentage of employees work in Leeds?", "60% (3 of 5)"),
        ("Who earns between 40,000 and 55,000?", "Ada Lovelace, Cyd Rivers"),
        ("Who is the longest-serving employee?", "Dee Park (2012-01-09)"),
        ("List everyone in Sales", "Bob Stone, Cyd Rivers"),
    ],
    "PRICES": [
        ("What is the cheapest desk?", "Pine desk (129.90)"),
        ("Which product is the most expensive?", "Standing desk (399.00)"),
        ("How much is the chair?", "89.50"),
        ("Which products cost more than 100?", "Oak desk, Standing desk, Pine desk"),
        ("the three heaviest products", "Standing desk (41), Oak desk (38.5), Bookcase (29)"),
        ("How many desks are there?", "3 (Oak desk, Standing desk, Pine desk)"),
        ("How many stools do we have in stock?", "33"),
        ("how many lamps have we got left?", "12"),
        ("Which products are out of stock?", "Pine desk"),
        ("How many products are under 50 euros?", "2 (Stool, Desk lamp)"),
        ("What is the average price?", "152.87 EUR"),
        ("What colour is the bookcase?", "brown"),
        ("What's the cheapest thing?", "Stool and Desk lamp (24.90)"),
        ("What is the price range?", "374.10 EUR (from 24.90 to 399.00)"),
        ("Which desks cost less than 300?", "Oak desk, Pine desk"),
        ("total weight of all desks", "106.7 kg"),
        ("Which is heavier, the stool or the lamp?", "Stool (3.1)"),
        ("Which white product is cheapest?", "Stool (24.90)"),
        ("the largest price", "399.00 (Standing desk)"),
    ],
    "TIMETABLE": [
        ("When does the first train to London leave?", "07:40 (IC 205)"),
        ("When does the train to York leave?", "07:05"),
        ("Which platform does IC 205 leave from?", "2"),
        ("Which trains leave after 9?", "IC 207, RE 21, IC 211"),
        ("How long does the train to Hull take?", "62"),
        ("What is the fastest train to London?", "IC 207 (136)"),
        ("When does IC 207 arrive?", "11:31"),
        ("last train from Leeds", "RE 21 (10:22)"),
        ("Which train goes from Leeds to York?", "IC 201"),
        ("What time does the 10:22 train arrive?", "11:24"),
        ("How many trains leave from Leeds before 10:00?", "3 (IC 201, IC 205, IC 207)"),
        ("Which trains arrive between 8:00 and 10:00?", "IC 205, RE 17"),
        ("What is the next train after 8 from Leeds to London?", "IC 207 (09:15)"),
    ],
    "WEATHER": [
        ("Which city is the hottest?", "Cairo (38.9 °C)"),
        ("Where is it coldest?", "Oslo (-4.5 °C)"),
        ("What is the highest temperature?", "38.9 °C (Cairo)"),
        ("How much rain fell in Leeds?", "35"),
        ("Which cities had no rain?", "Rome, Cairo"),
        ("average temperature", "15.94 °C"),
        ("Which cities are warmer than 10 degrees?", "Rome, Leeds, Cairo"),
        ("Where was the driest?", "Rome and Cairo (0)"),
        ("Which city has a temperature below zero?", "Oslo"),
        ("What's the difference in temperature between Rome and Oslo?", "35.7 °C (Rome 31.2 °C, Oslo -4.5 °C)"),
        ("In how many cities did it rain more than 10 mm?", "3 (Oslo, Leeds, Reykjavik)"),
    ],
    "EXPENSES": [
        ("How much did we spend on travel?", "£379.60"),
        ("What was the largest expense?", "£1,240.00 (Licences)"),
        ("Which category cost the most?", "Software (£1,240.00 in total)"),
        ("What is the total?", "£1,828.34"),
        ("How much did we spend in March?", "£502.39"),
        ("How many travel expenses are there?", "3 (Train to York, Taxi, Flight to Oslo)"),
        ("Which month did we spend most?", "February (£1,262.00 in total)"),
        ("What share of the total was travel?", "20.8% (£379.60 of £1,828.34)"),
        ("How much did we spend between January and February?", "£1,325.95"),
        ("average travel expense", "£126.53"),
        ("What was bought in January?", "Train to York, Paper and pens"),
    ],
    "BOOKS": [
        ("Which book is the longest?", "Emma (474)"),
        ("Who wrote Dracula?", "Bram Stoker"),
        ("How many books did Jane Austen write?", "2 (Emma, Persuasion)"),
        ("When was Persuasion published?", "1817"),
        ("Which book was borrowed most often?", "Dracula (31)"),
        ("Books by H. G. Wells?", "The Time Machine, The War of the Worlds"),
        ("Which books came out after 1890?", "Dracula, The Time Machine, The War of the Worlds"),
        ("Which author has the most books?", "Jane Austen and H. G. Wells (2)"),
    ],
    "ORDERS": [
        ("Which customer spent the most?", "Hotel Astra ($2,310.75 in total)"),
        ("How much did Cafe Mond order in total?", "$210.00"),
        ("When was order 1003 shipped?", "03/03/2025"),
        ("Which orders were placed in March?", "1004, 1005"),
        ("Total value of the orders in February", "$1,880.40"),
        ("average order total", "$862.25"),
        ("Who placed the last order?", "Cafe Mond (1005, 21/03/2025)"),
        ("Orders above $500", "1001, 1003, 1004"),
    ],
    "MARKS": [
        ("Who is best at maths?", "Kira (95)"),
        ("Who got the lowest mark in English?", "Mona (66)"),
        ("What is the average maths mark in 7B?", "84.33"),
        ("Who was absent the most?", "Jon (5)"),
        ("How many students are in 7A?", "2 (Ines, Jon)"),
        ("Who did better in maths, Ines or Luca?", "Ines (88)"),
    ],
    "HOUSES": [
        ("What's the asking price of 7 Oak Avenue?", "£389,950"),
        ("Which address has the most bedrooms?", "22 Park Road (5)"),
        ("How many bedrooms does 4 Mill Lane have?", "3"),
        ("Which addresses are in the Centre?", "12 High Street, Flat 3 Quay House"),
        ("What is the average price in Northgate?", "£350,000"),
        ("Which area has the highest average price?", "Southside (£389,950 on average)"),
        ("Which ones were built before 1920?", "12 High Street, 22 Park Road"),
        ("What is the oldest address?", "12 High Street (1890)"),
        ("How many have a garden?", "3 (4 Mill Lane, 7 Oak Avenue, 22 Park Road)"),
        ("Which addresses cost less than 250,000?", "4 Mill Lane, Flat 3 Quay House"),
        ("When was 22 Park Road built?", "1911"),
        ("Which has more bedrooms, 4 Mill Lane or 12 High Street?", "4 Mill Lane (3)"),
        ("What is the most expensive address in Centre?", "12 High Street (£310,000)"),
    ],
    "RUNS": [
        ("Who was the fastest?", "Sam Oduya (31.4)"),
        ("Who ran the fastest time?", "Sam Oduya (31.4)"),
        ("Which nation does Max Weber run for?", "Germany"),
        ("How many runners are from Germany?", "2 (Lea Brandt, Max Weber)"),
        ("Who is the slowest junior?", "Kim Lund (36.8)"),
        ("What was Ana's time?", "34.1"),
        ("Who took longer than 35 minutes?", "Lea Brandt, Kim Lund"),
        ("Average time of the seniors", "33.13 min"),
        ("How much faster was Sam than Lea?", "3.8 min (Sam Oduya 31.4, Lea Brandt 35.2)"),
    ],
    "STOCK": [
        ("How many hammers are in stock?", "40"),
        ("Which items are out of stock?", "Paint (white)"),
        ("What does a ladder cost?", "$89.00"),
        ("Who supplies the saw?", "Toolco"),
        ("Which supplier delivers the blue paint?", "ColorWorld"),
        ("What is the total quantity?", "80"),
        ("When was the last delivery of the ladder?", "2024-11-05"),
        ("Which item was delivered most recently?", "Paint (blue) (2025-02-11)"),
        ("How many different suppliers do we use?", "3 (Toolco, ColorWorld, Heights Ltd)"),
        ("What's the SKU of the hammer?", "A-10"),
        ("Which items cost between $10 and $20?", "Hammer, Saw, Paint (blue)"),
        ("Items from Toolco", "Hammer, Saw"),
        ("Which items have a quantity of at least 20?", "Hammer, Paint (blue)"),
        ("Name the two most expensive items.", "Ladder ($89.00), Saw ($18.00)"),
        ("Which items were delivered in 2024?", "Paint (white), Ladder"),
        ("What percentage of the total quantity are hammers?", "50% (40 of 80)"),
        ("Which month had the most deliveries?", "February 2025 (2)"),
    ],
    "HOTELS": [
        ("Which hotel has the most stars?", "Grand Plaza (5)"),
        ("How much is a night at Casa Azul?", "88 €"),
        ("What's the cheapest hotel in Vienna?", "Pension Anna (62 €)"),
        ("Which hotels allow pets?", "Hotel Sol, Pension Anna, Casa Azul"),
        ("How many hotels are in Porto?", "2 (Harbour Inn, Casa Azul)"),
        ("How many rooms do all hotels have together?", "367"),
        ("average price per night", "136.60 €"),
        ("Which hotels have at least 4 stars?", "Grand Plaza, Harbour Inn"),
        ("Which city has the most hotels?", "Vienna and Porto (2)"),
        (
            "What is the biggest hotel?",
            "By Stars: Grand Plaza (5); By Price per night: Grand Plaza (310 €); By Rooms: Grand Plaza (210)",
        ),
        ("Hotels under 100 euros", "Hotel Sol, Pension Anna, Casa Azul"),
        ("How many rooms has the Harbour Inn?", "75"),
        ("Where is Pension Anna?", "Vienna"),
    ],
    "ENERGY": [
        ("In which quarter of 2023 did we use the most gas?", "Q1 (Q1 2023, 5200)"),
        ("What was the bill in Q2 2024?", "£329.95"),
        ("How much electricity did we use in 2023?", "4420 kWh"),
        ("What was the total bill in 2024?", "£931.25"),
        ("What was the highest bill?", "£612.40 (Q1 2023)"),
        ("In how many quarters was the bill more than £500?", "3 (Q1 2023, Q4 2023, Q1 2024)"),
    ],
    "TEAM": [
        ("Who scored the most goals?", "R. Costa (18)"),
        ("How many goals did Mayer score?", "9"),
        ("What is the total number of goals?", "35"),
        ("Who plays as goalkeeper?", "S. Ito"),
        ("Who are the forwards?", "R. Costa, T. Mayer"),
        ("How many goals did the forwards score?", "27"),
        ("Which player joined first?", "S. Ito (14 June 2018)"),
        ("When did Okafor join?", "25 January 2023"),
        ("Who joined after 2020?", "R. Costa, P. Okafor, T. Mayer"),
        ("What position does Lind play?", "Midfielder"),
        ("Which players have no goals?", "S. Ito"),
        ("who has played the fewest games", "T. Mayer (21)"),
    ],
}
CASES = [(name, *case) for name, cases in ASKED.items() for case in cases]


@pytest.mark.parametrize(("name", "question", "wanted"), CASES, ids=lambda value: value[:60])
def test_a_question_gets_the_cells_that_answer_it(name: str, question: str, wanted: str) -> None:
    assert answer(question, getattr(question_tables, name)) == wanted


@pytest.mark.parametrize(
    ("name", "question", "why"),
    [
        ("SALES", "What is the revenue in July?", "No row of the table is of July."),
        ("SALES", "Which month had the best weather?", '"weather"'),
        ("SALES", "Which week sold most?", '"week"'),
        ("STAFF", "Who is the tallest?", 'no column for "tallest"'),
        ("STAFF", "Who works in Paris?", '"Paris"'),
        ("STAFF", "What is Dee's phone number?", "leaves Phone empty"),
        ("PRICES", "price of the sofa", '"sofa"'),
        ("PRICES", "What does the bookcase cost?", r"leaves Price \(EUR\) empty"),
        ("PRICES", "Who bought the stool?", '"who"'),
        ("TIMETABLE", "Is there a train to Paris?", '"Paris"'),
        ("WEATHER", "What is the temperature in Lima?", "leaves Temperature empty"),
        ("BOOKS", "Who is the publisher of Emma?", '"publisher"'),
        ("MARKS", "What is Jon's English mark?", "leaves English empty"),
        ("HOUSES", "Which house is the cheapest?", "which rows"),
        ("RUNS", "Who won?", '"won"'),
        ("RUNS", "top 3 runners by time", "more or less Time"),
        ("HOTELS", "Is breakfast included at Hotel Sol?", "breakfast"),
        ("ENERGY", "What is the average quarterly bill?", "quarterly"),
        ("ENERGY", "Which year had the higher total bill?", "higher"),
        ("ENERGY", "How much gas did we use in the third quarter of 2023?", "third"),
        ("TEAM", "Who has more assists than goals?", "more"),
        ("TEAM", "Who has the most yellow cards?", "yellow"),
        ("TEAM", "top two scorers", "scorers"),
        ("TEAM", "What is Costa's salary?", "salary"),
        ("SALES", "Was ist der Umsatz im März?", "table"),
        ("SALES", "x" * 2000, "too long"),
    ],
)
def test_what_the_table_does_not_say_is_declined(name: str, question: str, why: str) -> None:
    with pytest.raises(ExpertError, match=why):
        answer(question, getattr(question_tables, name))


def test_a_row_of_totals_that_is_wrong_is_told() -> None:
    wrong = Table(SALES.columns, (*SALES.rows[:-1], ("Total", "700", "€9,525.00")))
    assert answer("How many were sold in total?", wrong) == "635 (the table's own total says 700)"


def test_a_sum_without_a_name_is_not_counted_twice() -> None:
    assert answer("What is the total amount?", EXPENSES) == "£1,828.34"


def test_numbers_that_may_be_read_in_two_ways_are_told() -> None:
    lengths = table("River,Length\nA,1.250\nB,2.500\n")
    assert answer("total length", lengths) == "3.750. In the column Length, 1.250 was read as 1.250, not as 1250."


def test_a_comma_is_a_decimal_mark_where_the_column_shows_that() -> None:
    prices = table('Ware,Preis\nTisch,"1.249,90 €"\nStuhl,"89,50 €"\n')
    assert answer("sum of Preis", prices) == "1.339,40 €"


def _numbers() -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(-9999, 9999), min_size=2, max_size=30)


def _plain(values: list[int]) -> Table:
    return Table(("Name", "Points"), tuple((f"n{at:03}x", str(value)) for at, value in enumerate(values)))


@settings(max_examples=150, deadline=None)
@given(_numbers())
def test_numbers_agree_with_python(values: list[int]) -> None:
    given_ = _plain(values)
    assert answer("What is the highest Points?", given_).split(" (")[0] == str(max(values))
    assert answer("What is the lowest Points?", given_).split(" (")[0] == str(min(values))
    assert answer("What is the sum of Points?", given_) == str(sum(values))
    assert answer("How many rows are there?", given_).split(" (")[0] == str(len(values))
    over = sum(value > 100 for value in values)
    assert answer("How many rows have more than 100 points?", given_).split(" (")[0] == str(over)


_SAID = (
    "which what who when where how many much total average most least highest over under between and or not in of "
    "the is than more before after 2024 9:15 12.5 March Leeds Ada salary price sold stock train €5 % ' -1 first two "
    "difference share percentage months Monday cheaper either ? , 1e9 ½ the"
)
WORDS = _SAID.split()


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(WORDS) | st.text(string.printable, max_size=6), max_size=25).map(" ".join),
    st.sampled_from([value for value in vars(question_tables).values() if isinstance(value, Table)])
    | st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), min_size=1, max_size=5).map(
        lambda rows: Table(rows[0], tuple(rows[1:]) or (("", ""),))
    ),
)
def test_any_question_gets_an_answer_or_is_declined(question: str, given_: Table) -> None:
    try:
        assert answer(question, given_)
    except ExpertError as error:
        assert error.message


def test_large_tables_are_answered_quickly() -> None:
    random.seed(1)
    rows = tuple((f"Item {at}", random.choice("ABCD") * 3, f"{random.random() * 1000:.2f}") for at in range(20_000))
    begun = time.monotonic()
    assert answer("Which item has the highest price?", Table(("Item", "Group", "Price"), rows)).startswith("Item ")
    assert time.monotonic() - begun < 20


QUARTERS = joined(
    [
        Table(
            ("Month", "Sales", "Region"),
            (("January", "120", "North"), ("February", "340", "South"), ("March", "90", "North")),
            name="Q1",
        ),
        Table(
            ("Month", "Sales", "Region"),
            (("April", "210", "North"), ("May", "405", "South"), ("June", "150", "North")),
            name="Q2",
        ),
    ]
)
MONTHS = joined(
    [
        Table(("Product", "Sold"), (("Apples", "12"), ("Pears", "30"), ("Total", "42")), name="January"),
        Table(("Product", "Sold"), (("Apples", "20"), ("Pears", "25"), ("Total", "45")), name="February"),
        Table(("Product", "Sold"), (("Apples", "5"), ("Pears", "9"), ("Total", "14")), name="March"),
    ]
)


@pytest.mark.parametrize(
    ("question", "sheets", "said"),
    [
        ("Which month sold most?", QUARTERS, "May (405, sheet Q2)"),
        ("What is the total of Q2?", QUARTERS, "765 (sheet Q2)"),
        ("What is the total?", QUARTERS, "1315"),
        ("How much was sold in May?", QUARTERS, "405 (sheet Q2)"),
        ("What is the highest number of sales?", QUARTERS, "405 (South, May, sheet Q2)"),
        ("Which sheet has the highest total sales?", QUARTERS, "Q2 (765 in total)"),
        ("Which quarter sold most?", QUARTERS, "Q2 (765 in total)"),
        ("What is the average of Sales in Q1?", QUARTERS, "183.33 (sheet Q1)"),
        ("Which month sold most?", MONTHS, "February (45 in total)"),
        ("What is the total?", MONTHS, "101"),
        ("How many apples were sold?", MONTHS, "37"),
        ("How many apples were sold in March?", MONTHS, "5 (sheet March)"),
        ("Which product sold most?", MONTHS, "Pears (64 in total)"),
        (
            "What are the numbers sold of pears?",
            MONTHS,
            "Pears, sheet January: 30, Pears, sheet February: 25, Pears, sheet March: 9",
        ),
    ],
)
def test_sheets_with_the_same_columns_are_one_table_whose_answers_name_the_sheet(
    question: str, sheets: Table, said: str
) -> None:
    assert answer(question, sheets) == said


def ask(question: str, given_: Table, controller: Any) -> str:
    expert = next(expert for expert in EXPERTS if expert.kind == "table-question-answering")
    model = expert.for_request(None, ExpertContext(Settings(), lambda: controller))
    inputs = {"text": Text(question), "table": given_}
    (result,) = expert.render(expert.run(model, expert.prepare(inputs), Deadline(60)), inputs)
    assert isinstance(result, Text)
    return result.text


def test_several_questions_get_their_answers_each() -> None:
    said = ask("Who is the oldest? How many people work in York?", STAFF, None)
    assert said == "Who is the oldest?\nDee Park (51)\n\nHow many people work in York?\n1 (Bob Stone)"


def test_what_no_rule_understands_is_read_in_the_table_as_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def run(self: Any, model: Any, prepared: Any, deadline: Deadline) -> str:
        read.append(prepared.get("context"))
        return f"read: {prepared.get('text')}"

    monkeypatch.setattr(table_question_answering.QuestionAnswering, "run", run)
    small, large = SimpleNamespace(knows_little=True), SimpleNamespace(knows_little=False)
    assert ask("Would a stool suit a poet?", PRICES, small) == "read: Would a stool suit a poet?"
    assert read[0].startswith("Product,Colour")
    both = "How much is the chair? Would a stool suit a poet?"
    assert ask(both, PRICES, small).splitlines()[1::3] == ["89.50", "read: Would a stool suit a poet?"]
    assert ask(both, PRICES, large) == f"read: {both}"


@pytest.mark.parametrize(
    ("question", "given_", "why"),
    [("  ", STAFF, "question about the table is empty"), ("Who?", Table(("a",), ()), "has no rows")],
)
def test_an_empty_question_or_table_is_refused(question: str, given_: Table, why: str) -> None:
    with pytest.raises(ExpertError, match=why):
        ask(question, given_, None)
