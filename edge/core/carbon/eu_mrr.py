"""EU 2018/2066 (monitoring and reporting): hourly CO2 mass from concentration and flow.

The mass of an hour is its mean concentration in g/Nm3 times its flow in Nm3 of dry gas, 1 Nm3
being 1 m3 at 273.15 K and 101 325 Pa. The chain from sensors to these two is that of `cems`.
"""

from edge.core.carbon import ratio
from edge.core.carbon.hj212 import METHODS, Method

#: The regulation gives neither: the ideal gas at 273.15 K, and the molar mass of CO2.
METHOD = Method(
    "eu-2018-2066/273.15/22.414/44.0095", (27_315, 2), (22_414, 3), (440_095, 4), 101_325
)

#: Largest expanded uncertainty of CO2 by CEMS in tenths of a percent, tier 1 to 4 (Annex VIII).
TIERS_TENTHS = (100, 75, 50, 25)

#: An hour's mean is valid from this share of the most readings it can have (Art. 44).
READINGS_PERCENT = 80


def method_of(name: str) -> Method:
    """The method of a stack with that id, one of HJ 212 or this one; KeyError for another."""
    return METHOD if name == METHOD.id else METHODS[name]


def hour_ratio(g_per_nm3: tuple[int, int], nm3: tuple[int, int]) -> tuple[int, int]:
    """CO2 of one hour in mg from its mean dry concentration and its dry flow."""
    return ratio.product(g_per_nm3, nm3, (1000, 1))


def tier(uncertainty_tenths: int) -> int:
    """The highest tier that an uncertainty in tenths of a percent meets; 0: none."""
    return len([most for most in TIERS_TENTHS if uncertainty_tenths <= most])
