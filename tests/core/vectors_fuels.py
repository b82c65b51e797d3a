"""Worked examples of fuels, carbon balances and conversion, as decimal text.

They repeat `tests/data/carbon_vectors.json`, where each one has its source; a test in
`tests/property` keeps the two equal. EXACT holds the results as rationals in lowest terms.
"""

# id -> (inputs, expected value, tolerance)
VECTORS = {
    "CN-FUEL-1": (
        {"fuel": "gasoline", "NCV_GJ_per_unit": "43.07", "CC_tC_per_TJ": "18.9", "OF": "0.98"},
        "2.925056",
        "0.0000005",
    ),
    "CN-FUEL-2": (
        {"fuel": "diesel", "NCV_GJ_per_unit": "42.652", "CC_tC_per_TJ": "20.2", "OF": "0.98"},
        "3.095910",
        "0.0000005",
    ),
    "CN-FUEL-3": (
        {"fuel": "natural gas", "NCV_GJ_per_unit": "389.31", "CC_tC_per_TJ": "15.3", "OF": "0.99"},
        "21.621888",
        "0.0000005",
    ),
    "US-CARB-2": (
        {
            "biomass_short_ton": "25862",
            "heat_content_btu_per_ton": "15380000",
            "EF_g_per_btu": "0.0938",
        },
        "37310",
        "0.5",
    ),
    "IPCC-T14-crude_oil": (
        {"fuel": "crude oil", "CC_kg_per_GJ": "20.0", "oxidation": "1"},
        "73300",
        "50",
    ),
    "IPCC-T14-motor_gasoline": (
        {"fuel": "motor gasoline", "CC_kg_per_GJ": "18.9", "oxidation": "1"},
        "69300",
        "50",
    ),
    "IPCC-T14-other_kerosene": (
        {"fuel": "other kerosene", "CC_kg_per_GJ": "19.6", "oxidation": "1"},
        "71900",
        "50",
    ),
    "IPCC-T14-gas_diesel_oil": (
        {"fuel": "gas/diesel oil", "CC_kg_per_GJ": "20.2", "oxidation": "1"},
        "74100",
        "50",
    ),
    "IPCC-T14-residual_fuel_oil": (
        {"fuel": "residual fuel oil", "CC_kg_per_GJ": "21.1", "oxidation": "1"},
        "77400",
        "50",
    ),
    "IPCC-T14-LPG": (
        {"fuel": "LPG", "CC_kg_per_GJ": "17.2", "oxidation": "1"},
        "63100",
        "50",
    ),
    "IPCC-T14-naphtha": (
        {"fuel": "naphtha", "CC_kg_per_GJ": "20.0", "oxidation": "1"},
        "73300",
        "50",
    ),
    "IPCC-T14-petroleum_coke": (
        {"fuel": "petroleum coke", "CC_kg_per_GJ": "26.6", "oxidation": "1"},
        "97500",
        "50",
    ),
    "IPCC-T14-refinery_gas": (
        {"fuel": "refinery gas", "CC_kg_per_GJ": "15.7", "oxidation": "1"},
        "57600",
        "50",
    ),
    "IPCC-T14-anthracite": (
        {"fuel": "anthracite", "CC_kg_per_GJ": "26.8", "oxidation": "1"},
        "98300",
        "50",
    ),
    "IPCC-T14-coking_coal": (
        {"fuel": "coking coal", "CC_kg_per_GJ": "25.8", "oxidation": "1"},
        "94600",
        "50",
    ),
    "IPCC-T14-other_bituminous": (
        {"fuel": "other bituminous", "CC_kg_per_GJ": "25.8", "oxidation": "1"},
        "94600",
        "50",
    ),
    "IPCC-T14-lignite": (
        {"fuel": "lignite", "CC_kg_per_GJ": "27.6", "oxidation": "1"},
        "101000",
        "500",
    ),
    "IPCC-T14-coke_oven_coke": (
        {"fuel": "coke oven coke", "CC_kg_per_GJ": "29.2", "oxidation": "1"},
        "107000",
        "500",
    ),
    "IPCC-T14-blast_furnace_gas": (
        {"fuel": "blast furnace gas", "CC_kg_per_GJ": "70.8", "oxidation": "1"},
        "260000",
        "500",
    ),
    "IPCC-T14-natural_gas": (
        {"fuel": "natural gas", "CC_kg_per_GJ": "15.3", "oxidation": "1"},
        "56100",
        "50",
    ),
    "IPCC-T14-wood": (
        {"fuel": "wood", "CC_kg_per_GJ": "30.5", "oxidation": "1"},
        "112000",
        "500",
    ),
    "GBT-FML-001": (
        {"AFV_1e4Nm3": "2", "FCV_tC": "0.015", "FOx": "0.98"},
        "0.1078",
        "0.00000001",
    ),
    "GBT-FML-003": (
        {"AFh_GJ": "10", "FCh_tC_per_GJ": "0.02", "FOx": "1"},
        "0.733333333333",
        "0.000000000001",
    ),
    "GBT-FML-007": (
        {
            "BPM": "10",
            "BPMFC": "0.005",
            "BG": "100",
            "BGFC": "0.007",
            "BWT": "0.05",
            "BP": "95",
            "BPFC": "0.006",
            "BPMVar": "0.10",
            "BGVar": "0.02",
            "K2": "0.35",
        },
        "3.364166666667",
        "0.000000000001",
    ),
    "GBT-FML-008": (
        {
            "GPM": "10",
            "GPMFC": "0.005",
            "GTA": "100",
            "GTAFC": "0.007",
            "GWT": "0.05",
            "GP": "95",
            "GPFC": "0.006",
            "GPMVar": "0.10",
            "K3": "0.35",
        },
        "1.439166666667",
        "0.000000000001",
    ),
    "GBT-FML-009": (
        {
            "Q_Nm3_h": "1000",
            "QVar_mg_Nm3": "10",
            "T_d": "1",
            "HM_GJ_t": "30",
            "FCh_tC_GJ": "0.02",
            "FOx": "0.98",
        },
        "0.00051744",
        "0.0000000001",
    ),
    "GBT-FML-010": (
        {"CAL_t": "10", "I": "0.90", "EF1": "0.44", "TR": "1"},
        "3.96",
        "0.0000001",
    ),
    "CN910-3": (
        {
            "coking_coal_t": "100000",
            "NCV": "26.334",
            "CC": "25.41",
            "coke_t": "72000",
            "coke_NCV": "28.435",
            "coke_CC": "29.5",
            "COG_1e4Nm3": "3000",
            "COG_NCV": "179.81",
            "COG_CC": "13.58",
        },
        "-2957.9198",
        "0.000001",
    ),
}

# id -> "numerator/denominator"
EXACT = {
    "CN-FUEL-1": "146252799/50000000",
    "CN-FUEL-2": "580483057/187500000",
    "CN-FUEL-3": "2162188809/100000000",
    "US-CARB-2": "4663707391/125000",
    "IPCC-T14-crude_oil": "220000/3",
    "IPCC-T14-motor_gasoline": "69300/1",
    "IPCC-T14-other_kerosene": "215600/3",
    "IPCC-T14-gas_diesel_oil": "222200/3",
    "IPCC-T14-residual_fuel_oil": "232100/3",
    "IPCC-T14-LPG": "189200/3",
    "IPCC-T14-naphtha": "220000/3",
    "IPCC-T14-petroleum_coke": "292600/3",
    "IPCC-T14-refinery_gas": "172700/3",
    "IPCC-T14-anthracite": "294800/3",
    "IPCC-T14-coking_coal": "94600/1",
    "IPCC-T14-other_bituminous": "94600/1",
    "IPCC-T14-lignite": "101200/1",
    "IPCC-T14-coke_oven_coke": "321200/3",
    "IPCC-T14-blast_furnace_gas": "259600/1",
    "IPCC-T14-natural_gas": "56100/1",
    "IPCC-T14-wood": "335500/3",
    "GBT-FML-001": "539/5000",
    "GBT-FML-003": "11/15",
    "GBT-FML-007": "4037/1200",
    "GBT-FML-008": "1727/1200",
    "GBT-FML-009": "1617/3125000",
    "GBT-FML-010": "99/25",
    "CN910-3": "-14789599/5000",
}
