"""The body of an INTERVAL record: what one closed interval says, and how it is laid out.

[start_ms, end_ms, streams, totals]

streams: per stream [number, cumulative, rest, activity, emission_mg, good, expected, flags,
         substituted, others, state]
         cumulative: the count C in the register's mantissa (mg for a stack); rest: what a stack
         has beyond whole mg, in mg.ms/h; activity in the stream's unit; emission_mg on the main
         basis; good of expected polls counted; flags: `counter.Flag`; substituted: the part of
         the activity that was not measured; others: emission_mg on the further bases in the order
         of the stream's rates; state: what the meter needs to go on, see `tally`
         C, activity and emissions are None before a first reading.
         An entry that has more to tell ends with [figures, times]: figures as below, of the
         stream; times: per rate by tariff what it needs to go on, see `timed`.
totals:  [scope1_mg, scope2_mg, electricity_mg, consumption_wh, intensity_mg_per_kwh, green_wh,
         storage_wh, bases]
         green_wh: own green supply; storage_wh: charged less discharged, which over a full cycle
         is the loss; bases: per further basis [name, scope1_mg, scope2_mg, electricity_mg,
         intensity_mg_per_kwh]. A total is None when a stream it needs has no figure; an intensity
         also when nothing was consumed. Totals of a site that has stated coal or facts end with
         a list of figures, see `figures`.

figure:  [name, subject, basis, value, places, unit]; of a stream:
         hours         subject: valid, filled, missing or pending, of a stack by whole hours
         samples       subject: flag of HJ 212-2017 Table 8, see `flags`
         filled_hours  subject: the rule of substitution
         filled        subject: the rule; mg that it stands for
         fallback      subject: the tariff; activity at factors of a later layer than its first

Bodies of the first form end an entry after `expected` and the totals after the intensity.
"""

#: Places of an entry's items.
NUMBER = 0
CUMULATIVE = 1
REST = 2
ACTIVITY = 3
EMISSION = 4
GOOD = 5
EXPECTED = 6
FLAGS = 7
SUBSTITUTED = 8
OTHERS = 9
STATE = 10
FIGURES = 11
TIMES = 12

#: Place of the further bases in the totals, and of the figures behind them.
BASES = 7
TOTAL_FIGURES = 8

ENTRY_FIELDS = 11
FULL_ENTRY_FIELDS = 13
OLD_ENTRY_FIELDS = 7
TOTAL_FIELDS = 8
OLD_TOTAL_FIELDS = 5

#: A rate whose factor begins so changes with time: it is in ug per unit of the activity, and
#: numerator/denominator turn what moves between two readings times that into mg, see `timed`.
TARIFF = "tariff:"
