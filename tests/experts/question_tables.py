"""Tables that people might ask about, with the dirt of real ones."""

import csv
import io

from hugginggpt.media import Table


def table(text: str) -> Table:
    """A table from CSV."""
    header, *rows = csv.reader(io.StringIO(text.strip()))
    return Table(tuple(header), tuple(map(tuple, rows)))


SALES = table("""
Month,Sold,Revenue
January,120,"€1,800.00"
February,95,"€1,425.00"
March,240,"€3,600.00"
April,180,"€2,700.00"
Total,635,"€9,525.00"
""")

STAFF = table("""
Name,Department,City,Salary,Age,Phone,Start date
Ada Lovelace,Engineering,Leeds,"£52,000",36,0113 496 0101,2019-03-01
Bob Stone,Sales,York,"£38,500",45,01904 960202,2015-11-16
Cyd Rivers,Sales,Leeds,"£41,000",29,0113 496 0303,2021-06-07
Dee Park,Engineering,Hull,"£61,000",51,n/a,2012-01-09
Eli Marsh,Support,Leeds,"£29,750",24,0113 496 0505,2023-09-18
""")

PRICES = table("""
Product,Colour,Price (EUR),In stock,Weight (kg)
Oak desk,brown,249.00,4,38.5
Standing desk,white,399.00,2,41
Pine desk,yellow,129.90,0,27.2
Office chair,black,89.50,17,11.4
Stool,white,24.90,33,3.1
Desk lamp,black,24.90,12,1.2
Bookcase,brown,,5,29
""")

TIMETABLE = table("""
Train,From,To,Departs,Arrives,Platform,Duration (min)
IC 201,Leeds,York,07:05,07:31,4,26
IC 205,Leeds,London,07:40,09:58,2,138
RE 17,York,Leeds,08:12,08:41,5,29
IC 207,Leeds,London,09:15,11:31,2,136
RE 21,Leeds,Hull,10:22,11:24,7,62
IC 211,London,Leeds,18:03,20:19,9,136
""")

WEATHER = table("""
City,Temperature,Rain (mm),Wind (km/h)
Rome,31.2 °C,0,8
Oslo,-4.5 °C,12,22
Leeds,12.0 °C,35,31
Cairo,38.9 °C,0,12
Reykjavik,2.1 °C,18,57
Lima,,1,15
""")

EXPENSES = table("""
Date,Category,Description,Amount
2024-01-05,Travel,Train to York,£45.20
2024-01-17,Office,Paper and pens,£18.75
2024-02-02,Travel,Taxi,£22.00
2024-02-20,Software,Licences,"£1,240.00"
2024-03-11,Travel,Flight to Oslo,£312.40
2024-03-28,Office,Printer,£189.99
,,,"£1,828.34"
""")

BOOKS = table("""
Title,Author,Year,Pages,Borrowed,Shelf
Emma,Jane Austen,1815,474,12,A3
Dracula,Bram Stoker,1897,418,31,B1
The Time Machine,H. G. Wells,1895,118,17,B2
Persuasion,Jane Austen,1817,249,9,A3
The War of the Worlds,H. G. Wells,1898,192,25,B2
""")

ORDERS = table("""
Order no,Customer,Ordered,Shipped,Items,Total,Country
1001,Bakery Bloom,03/02/2025,05/02/2025,12,"$1,150.50",Ireland
1002,Cafe Mond,14/02/2025,15/02/2025,3,$89.90,Germany
1003,Bakery Bloom,27/02/2025,03/03/2025,7,$640.00,Ireland
1004,Hotel Astra,09/03/2025,,25,"$2,310.75",Austria
1005,Cafe Mond,21/03/2025,24/03/2025,4,$120.10,Germany
""")

MARKS = table("""
Student,Class,Maths,English,Absences
Ines,7A,88,74,2
Jon,7A,61,,5
Kira,7B,95,82,0
Luca,7B,70,91,1
Mona,7B,88,66,3
Average,,80.4,78.25,2.2
""")

HOUSES = table("""
Address,Area,Bedrooms,Asking price,Garden,Built
4 Mill Lane,Northgate,3,"£245,000",yes,1932
12 High Street,Centre,2,"£310,000",no,1890
7 Oak Avenue,Southside,4,"£389,950",yes,1998
Flat 3 Quay House,Centre,1,"£198,500",no,2015
22 Park Road,Northgate,5,"£455,000",yes,1911
""")

RUNS = table("""
Runner,Nation,Time (min),Age group
Sam Oduya,Kenya,31.4,Senior
Lea Brandt,Germany,35.2,Junior
Max Weber,Germany,33.9,Senior
Ana Silva,Portugal,34.1,Senior
Kim Lund,Norway,36.8,Junior
""")

STOCK = table("""
SKU,Item,Qty,Unit cost,Supplier,Last delivery
A-10,Hammer,40,$12.50,Toolco,2025-01-14
A-11,Saw,15,$18.00,Toolco,2025-02-03
B-20,Paint (white),0,$9.75,ColorWorld,2024-12-20
B-21,Paint (blue),22,$10.25,ColorWorld,2025-02-11
C-30,Ladder,3,$89.00,Heights Ltd,2024-11-05
Total,,80,,,
""")

HOTELS = table("""
Hotel,City,Stars,Price per night,Rooms,Pets allowed
Hotel Sol,Madrid,3,95 €,48,yes
Grand Plaza,Vienna,5,310 €,210,no
Pension Anna,Vienna,2,62 €,14,yes
Harbour Inn,Porto,4,128 €,75,no
Casa Azul,Porto,3,88 €,20,yes
""")

ENERGY = table("""
Year,Quarter,Electricity (kWh),Gas (kWh),Bill
2023,Q1,1240,5200,£612.40
2023,Q2,980,2100,£340.10
2023,Q3,890,650,£221.75
2023,Q4,1310,4800,£598.00
2024,Q1,1275,5050,£601.30
2024,Q2,1002,1980,£329.95
""")

TEAM = table("""
Player,Position,Goals,Assists,Games,Joined
R. Costa,Forward,18,4,30,12 July 2021
J. Lind,Midfielder,6,11,33,3 August 2019
P. Okafor,Defender,2,1,29,25 January 2023
T. Mayer,Forward,9,7,21,1 July 2022
S. Ito,Goalkeeper,0,0,34,14 June 2018
""")
