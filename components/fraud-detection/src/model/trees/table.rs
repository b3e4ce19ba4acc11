//! The trees of version 2. Written by `cargo run --release -p fraud-training`: change that, not this.

use super::{Split, Tree, split};

/// Where no question is worth asking.
const NONE: Split = Split::NONE;

/// The log-odds of fraud in the training set.
#[allow(
    clippy::approx_constant,
    reason = "a number that looks like a known one is chance"
)]
pub const BASE: f64 = -2.179;

/// What was learnt from the training set.
#[allow(
    clippy::approx_constant,
    reason = "a number that looks like a known one is chance"
)]
#[rustfmt::skip]
pub static TREES: [Tree; 45] = [
    Tree {
        splits: [split(5, 0.5), split(6, 0.5), split(9, 0.35), split(3, 0.5), NONE, split(0, 9.18), NONE, split(0, 10.54), split(0, 9.07), NONE, NONE, NONE, NONE, NONE, NONE],
        leaves: [-0.2942, -0.0984, 0.037, 0.3442, 0.8846, 0.0, 0.0, 0.0, 0.8846, 0.0, 1.9603, 0.0, 2.5959, 0.0, 0.0, 0.0],
    },
    Tree {
        splits: [split(3, 0.5), split(6, 0.5), split(0, 9.64), split(5, 0.5), split(7, 0.5), split(7, 0.5), split(1, 3.02), split(0, 9.84), split(7, 0.5), split(12, 0.5), NONE, NONE, split(11, 0.5), split(11, 0.5), NONE],
        leaves: [-0.2821, -0.1045, -0.0132, 0.0636, 0.0636, 0.187, 0.3085, 0.0, 0.3085, 0.0, 0.5411, 1.0337, 0.7761, 1.4262, 0.3085, 0.0],
    },
    Tree {
        splits: [split(7, 0.5), split(1, 0.9), split(4, 0.0), split(6, 0.5), split(1, 3.02), split(3, 0.5), split(6, 0.5), split(5, 0.5), split(4, 0.0), split(0, 8.74), NONE, split(6, 0.5), split(0, 8.15), split(3, 0.5), split(9, 0.35)],
        leaves: [-0.2719, -0.1358, -0.1358, -0.0096, -0.1777, -0.0096, -0.3061, 0.0, -0.0096, 0.0919, 0.0919, 0.1934, 0.1934, 0.4865, 0.4865, 0.8752],
    },
    Tree {
        splits: [split(7, 0.5), split(0, 9.64), split(3, 0.5), split(9, 0.9), split(11, 0.5), split(0, 7.28), split(0, 9.32), split(11, 0.5), split(0, 7.44), split(3, 0.5), split(1, 3.02), split(12, 0.5), split(11, 1.5), split(12, 0.5), split(1, 3.02)],
        leaves: [-0.2916, -0.1741, -0.0298, -0.1425, -0.244, -0.0298, -0.0298, -0.2733, -0.0298, 0.2324, -0.0298, 0.2324, 0.2324, 0.3967, 0.5139, 0.2324],
    },
    Tree {
        splits: [split(4, 0.0), split(0, 9.64), split(0, 9.84), split(9, 0.9), split(1, 3.02), split(0, 7.28), split(1, 3.02), split(11, 0.5), split(0, 7.28), split(11, 0.5), NONE, split(9, 0.9), split(3, 0.5), split(0, 10.54), NONE],
        leaves: [-0.2774, -0.1518, 0.0032, -0.1156, -0.0936, 0.0032, -0.3215, 0.0, 0.0107, 0.4963, 0.0032, 0.2043, 0.2672, 0.5905, 0.0032, 0.0],
    },
    Tree {
        splits: [split(6, 0.5), split(5, 0.5), split(9, 0.35), split(0, 9.84), NONE, split(0, 9.32), NONE, split(3, 0.5), split(1, 3.02), NONE, NONE, split(3, 0.5), split(1, 2.92), NONE, NONE],
        leaves: [-0.2325, -0.0937, -0.0071, -0.3178, 0.1111, 0.0, 0.0, 0.0, 0.1111, 0.3156, 0.3176, 0.1111, 0.467, 0.0, 0.0, 0.0],
    },
    Tree {
        splits: [split(11, 0.5), split(0, 7.28), split(0, 9.48), split(9, 0.9), split(0, 9.64), split(5, 0.5), split(1, 3.02), split(12, 0.5), NONE, split(2, 1.5), split(1, 3.02), split(3, 0.5), split(2, 1.5), split(0, 11.17), NONE],
        leaves: [-0.2912, 0.114, 0.4207, 0.0, -0.1728, -0.2911, 0.0043, -0.3057, -0.143, 0.1011, 0.3562, 0.1011, 0.2311, 0.5257, -0.3088, 0.0],
    },
    Tree {
        splits: [split(11, 0.5), split(0, 7.28), split(3, 0.5), split(9, 0.9), split(0, 8.96), split(1, 3.02), split(0, 8.53), split(12, 0.5), split(15, 0.5), split(2, 1.5), split(3, 0.5), split(0, 10.11), NONE, NONE, split(15, 0.5)],
        leaves: [-0.2766, 0.0777, 0.36, 0.1298, -0.1863, -0.2917, -0.1376, 0.11, -0.0427, 0.1572, -0.2967, 0.0, 0.1572, 0.0, 0.3665, 0.1572],
    },
    Tree {
        splits: [split(7, 0.5), split(11, 0.5), split(8, 0.5), split(6, 0.5), split(0, 8.53), split(5, 0.5), split(0, 10.54), split(5, 0.5), split(12, 0.5), split(2, 1.5), split(15, 0.5), split(6, 0.5), split(4, 0.0), split(2, 1.5), split(1, 2.8)],
        leaves: [-0.2283, -0.1181, -0.1181, -0.0203, -0.0859, -0.271, -0.0203, -0.137, -0.0203, 0.0546, 0.0546, 0.1295, 0.2852, 0.1295, 0.4886, 0.1295],
    },
    Tree {
        splits: [split(15, 0.5), split(3, 0.5), split(6, 0.5), split(1, 3.02), split(1, 0.9), split(5, 0.5), split(0, 8.74), split(0, 10.54), NONE, split(11, 1.5), split(1, 2.97), NONE, NONE, NONE, split(12, 0.5)],
        leaves: [-0.0342, 0.0954, -0.2981, 0.0, 0.0954, 0.2991, 0.3797, 0.0954, -0.2535, 0.0, -0.0906, 0.0, -0.0906, 0.0, -0.0378, 0.2775],
    },
    Tree {
        splits: [split(4, 0.0), split(11, 1.5), split(5, 0.5), split(6, 0.5), split(0, 7.94), split(6, 0.5), split(2, 1.5), split(5, 0.5), split(9, 0.35), NONE, split(1, 3.02), split(0, 11.17), NONE, split(0, 8.53), split(0, 9.48)],
        leaves: [-0.1615, -0.0666, -0.057, 0.0052, -0.1568, 0.0, 0.0052, -0.1974, 0.0052, 0.0666, 0.1279, 0.0, 0.2205, 0.4294, 0.1279, 0.2816],
    },
    Tree {
        splits: [split(0, 10.54), split(2, 1.5), split(1, 3.02), split(0, 8.53), split(0, 9.07), split(2, 11.5), NONE, split(9, 0.9), split(1, 1.87), split(0, 8.63), split(1, 0.35), split(0, 11.51), split(3, 0.5), NONE, NONE],
        leaves: [-0.0923, 0.2451, 0.3643, -0.2399, -0.306, -0.1783, 0.0702, -0.1143, 0.1481, 0.4316, -0.1772, 0.0276, -0.2998, 0.0, 0.0, 0.0],
    },
    Tree {
        splits: [split(15, 0.5), split(8, 0.5), split(5, 0.5), split(11, 0.5), split(0, 10.11), split(6, 0.5), split(11, 0.5), split(0, 6.93), split(1, 3.02), split(2, 1.5), split(1, 2.67), NONE, NONE, NONE, NONE],
        leaves: [0.0678, -0.1118, 0.0614, -0.2511, 0.1839, 0.0678, 0.3165, 0.0678, -0.2191, 0.0, -0.0752, 0.0, -0.0752, 0.0, 0.1367, 0.0],
    },
    Tree {
        splits: [split(6, 0.5), split(5, 0.5), split(0, 9.64), split(0, 8.85), NONE, split(9, 0.35), split(1, 2.92), split(2, 1.5), split(1, 3.02), NONE, NONE, split(3, 0.5), split(0, 7.44), NONE, NONE],
        leaves: [-0.1055, -0.248, -0.0055, -0.2748, 0.0525, 0.0, 0.0, 0.0, 0.0525, 0.1509, 0.3384, 0.1509, 0.3162, 0.0, 0.0525, 0.0],
    },
    Tree {
        splits: [split(0, 10.11), split(2, 1.5), split(1, 2.35), split(0, 8.85), split(0, 8.63), split(2, 11.5), split(3, 0.5), split(1, 0.35), split(1, 1.87), NONE, split(2, 2.5), split(0, 11.17), split(0, 11.51), split(11, 1.5), split(1, 2.97)],
        leaves: [0.0675, -0.2308, 0.2746, -0.1583, -0.2828, 0.0, 0.0309, -0.1282, 0.0923, 0.3692, -0.2179, -0.0396, -0.221, -0.0225, 0.2222, 0.0023],
    },
    Tree {
        splits: [split(3, 0.5), split(5, 0.5), split(1, 0.9), split(0, 11.51), split(12, 0.5), split(12, 0.5), split(2, 11.5), split(1, 1.87), split(1, 3.02), NONE, NONE, split(11, 1.5), NONE, split(1, 2.86), NONE],
        leaves: [-0.0571, -0.317, -0.0055, -0.2575, -0.0055, 0.0, 0.0386, 0.0, 0.0386, 0.1184, 0.1982, 0.0, 0.3038, 0.0482, 0.0386, 0.0],
    },
    Tree {
        splits: [split(15, 0.5), split(11, 1.5), split(11, 0.5), split(2, 1.5), split(10, 0.5), NONE, split(0, 7.82), split(9, 0.35), split(0, 9.64), split(0, 7.71), split(1, 0.9), NONE, NONE, NONE, split(8, 0.5)],
        leaves: [-0.003, 0.146, -0.1677, 0.0367, -0.053, 0.17, -0.1133, 0.1623, -0.1969, 0.0, 0.0, 0.0, -0.2275, 0.0, -0.0594, 0.1302],
    },
    Tree {
        splits: [split(5, 0.5), split(6, 0.5), split(10, 0.5), split(0, 8.24), NONE, split(0, 7.28), split(0, 7.94), split(9, 0.9), split(2, 11.5), NONE, NONE, split(9, 0.9), split(0, 9.64), NONE, NONE],
        leaves: [-0.1768, -0.0366, -0.0037, -0.2035, 0.0381, 0.0, 0.0, 0.0, 0.0827, 0.262, 0.0381, 0.1502, 0.0381, 0.0, 0.3466, 0.0],
    },
    Tree {
        splits: [split(1, 3.02), split(0, 11.51), NONE, split(1, 1.87), split(2, 11.5), NONE, NONE, split(2, 1.5), NONE, split(1, 1.7), split(1, 1.24), NONE, NONE, NONE, NONE],
        leaves: [0.0409, -0.0452, -0.3238, 0.0, 0.3734, 0.1785, 0.0824, -0.1125, -0.2697, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    },
    Tree {
        splits: [split(11, 0.5), split(0, 7.44), split(0, 8.34), split(12, 0.5), split(0, 8.53), split(2, 1.5), split(1, 1.87), split(9, 0.9), split(9, 0.9), split(3, 0.5), split(2, 2.5), split(1, 0.35), NONE, split(0, 10.54), split(0, 11.51)],
        leaves: [-0.2378, -0.0406, 0.0213, 0.2334, -0.2333, -0.0482, 0.0433, -0.088, 0.011, -0.2493, -0.2761, 0.0, 0.0674, 0.2173, -0.2828, 0.0251],
    },
    Tree {
        splits: [split(8, 0.5), split(15, 0.5), split(14, 0.5), split(1, 3.02), split(12, 0.5), split(5, 0.5), split(0, 8.04), split(0, 9.18), NONE, NONE, split(1, 1.5), split(6, 0.5), NONE, NONE, split(2, 3.5)],
        leaves: [-0.0375, 0.0236, -0.2312, 0.0, -0.1769, 0.0, 0.0084, -0.1126, 0.0236, 0.0813, 0.1389, 0.0, 0.1389, 0.0, 0.4098, 0.1389],
    },
    Tree {
        splits: [split(4, 0.0), split(0, 7.94), split(8, 0.5), split(9, 0.9), split(1, 0.35), split(5, 0.5), split(13, 0.5), NONE, NONE, NONE, split(0, 10.54), split(6, 0.5), NONE, split(4, 0.15), NONE],
        leaves: [-0.174, 0.0, -0.003, 0.0, -0.003, 0.0, -0.1088, -0.003, -0.003, 0.026, 0.0549, 0.0, 0.0549, 0.1877, 0.0549, 0.0],
    },
    Tree {
        splits: [split(1, 3.02), split(0, 11.51), NONE, split(1, 1.87), split(2, 10.5), NONE, NONE, split(2, 1.5), NONE, split(1, 1.5), split(1, 1.7), NONE, NONE, NONE, NONE],
        leaves: [0.0378, -0.0401, -0.2778, 0.0, 0.3133, 0.1416, 0.0501, -0.1145, -0.2468, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    },
    Tree {
        splits: [split(0, 8.53), split(2, 1.5), split(1, 0.35), split(1, 0.35), NONE, split(2, 1.5), split(6, 0.5), split(9, 0.9), NONE, NONE, NONE, split(10, 0.5), split(0, 9.64), split(0, 10.54), split(0, 9.32)],
        leaves: [-0.0341, 0.1286, -0.2271, 0.0, -0.244, 0.0, 0.0, 0.0, 0.5956, -0.0071, -0.0064, 0.1937, -0.0697, 0.0257, 0.0605, 0.2002],
    },
    Tree {
        splits: [split(3, 0.5), split(1, 2.74), split(1, 0.9), split(0, 9.64), split(11, 1.5), split(12, 0.5), split(2, 10.5), split(2, 2.5), split(2, 8.5), split(4, 0.35), NONE, split(9, 0.35), NONE, NONE, NONE],
        leaves: [-0.0104, -0.1658, 0.0267, -0.1035, -0.2394, -0.002, -0.0275, 0.0, 0.0267, 0.0883, 0.1499, 0.0, 0.2315, 0.0, 0.0267, 0.0],
    },
    Tree {
        splits: [split(15, 0.5), split(1, 3.02), split(0, 7.82), split(0, 10.11), NONE, NONE, split(2, 2.5), split(2, 2.5), split(2, 11.5), NONE, NONE, NONE, NONE, split(0, 9.32), split(8, 0.5)],
        leaves: [0.0235, -0.0944, 0.0907, -0.0984, -0.2132, 0.0, 0.0, 0.0, -0.2167, 0.0, 0.0, 0.0, -0.0431, 0.1235, -0.1431, -0.0034],
    },
    Tree {
        splits: [split(11, 0.5), split(0, 6.68), split(0, 7.71), split(12, 0.5), split(10, 0.5), split(12, 0.5), split(1, 0.35), NONE, split(10, 0.5), split(0, 7.44), split(12, 0.5), NONE, split(0, 7.28), split(13, 0.5), split(0, 8.74)],
        leaves: [-0.1394, 0.0, 0.1702, -0.0019, 0.0074, -0.087, -0.0803, 0.1509, -0.2375, 0.0, 0.0708, -0.1142, 0.1641, 0.0219, -0.1731, 0.0133],
    },
    Tree {
        splits: [split(0, 8.85), split(1, 0.35), split(6, 0.5), split(2, 2.5), NONE, split(5, 0.5), split(4, 0.0), split(0, 8.34), NONE, NONE, NONE, split(10, 0.5), NONE, NONE, NONE],
        leaves: [-0.0144, 0.0952, -0.1991, 0.0, -0.1881, 0.0, 0.0, 0.0, 0.0067, -0.1023, 0.0752, 0.0, 0.0752, 0.0, 0.2061, 0.0],
    },
    Tree {
        splits: [split(1, 3.02), split(0, 11.17), NONE, split(1, 1.87), split(1, 1.5), NONE, NONE, split(2, 3.5), NONE, split(2, 9.5), split(11, 1.5), NONE, NONE, NONE, NONE],
        leaves: [0.0136, -0.0773, -0.2584, 0.0, 0.2959, 0.0359, -0.0467, 0.0908, -0.2167, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    },
    Tree {
        splits: [split(0, 8.53), split(2, 1.5), split(1, 0.35), split(1, 0.35), split(0, 8.04), split(0, 10.11), split(5, 0.5), split(9, 0.35), split(0, 8.04), NONE, split(2, 2.5), split(2, 1.5), NONE, split(0, 11.17), split(7, 0.5)],
        leaves: [-0.0339, 0.0735, -0.2437, -0.0127, -0.2814, 0.0, 0.0439, -0.1789, 0.207, 0.0299, 0.2901, 0.0, -0.0517, 0.0375, 0.0528, 0.1974],
    },
    Tree {
        splits: [split(15, 0.5), split(14, 0.5), split(0, 9.32), split(3, 0.5), split(11, 0.5), NONE, split(2, 3.5), split(0, 7.44), NONE, NONE, split(0, 7.94), NONE, NONE, split(0, 10.11), split(8, 0.5)],
        leaves: [0.0161, -0.0332, 0.0479, 0.0, 0.0479, 0.0, 0.0479, 0.1909, -0.1258, 0.0, 0.0, 0.0, 0.1354, -0.0242, -0.149, 0.0289],
    },
    Tree {
        splits: [split(1, 3.02), split(0, 9.18), NONE, split(2, 1.5), split(2, 3.5), NONE, NONE, split(10, 0.5), split(10, 0.5), split(10, 0.5), split(10, 0.5), NONE, NONE, NONE, NONE],
        leaves: [0.0245, -0.0969, -0.1438, 0.0607, 0.1134, -0.0368, -0.0297, 0.1561, -0.2039, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    },
    Tree {
        splits: [split(6, 0.5), split(0, 7.94), split(0, 9.64), split(12, 0.5), split(2, 8.5), split(9, 0.35), NONE, split(0, 7.28), split(0, 7.44), split(13, 0.5), split(0, 11.51), NONE, split(0, 7.44), NONE, NONE],
        leaves: [-0.2285, -0.0834, 0.0198, -0.0834, 0.0198, -0.0497, -0.2537, -0.0357, 0.0198, 0.0, 0.2517, 0.0737, 0.1457, 0.0, 0.0, 0.0],
    },
    Tree {
        splits: [split(1, 2.74), split(0, 11.51), split(11, 1.5), split(1, 1.87), split(2, 8.5), split(4, 0.21), NONE, split(2, 8.5), NONE, NONE, split(1, 1.5), NONE, NONE, NONE, NONE],
        leaves: [0.0033, -0.2055, -0.2348, 0.0, 0.1511, 0.0, 0.1024, -0.054, -0.2331, 0.0, -0.0042, 0.0, 0.0072, 0.0, 0.0, 0.0],
    },
    Tree {
        splits: [split(5, 0.5), split(0, 8.04), split(10, 0.5), split(2, 1.5), split(13, 0.5), split(0, 7.44), split(0, 7.94), split(1, 0.35), NONE, split(15, 0.5), split(0, 10.54), split(9, 0.9), NONE, NONE, NONE],
        leaves: [-0.026, -0.2242, -0.2416, 0.0, 0.0167, -0.0742, -0.0835, 0.0167, 0.0408, 0.2113, 0.0167, 0.0, 0.0167, 0.0, 0.2618, 0.0],
    },
    Tree {
        splits: [split(1, 3.02), split(0, 8.53), NONE, split(2, 1.5), split(2, 1.5), NONE, NONE, split(10, 0.5), split(0, 8.04), split(10, 0.5), split(7, 0.5), NONE, NONE, NONE, NONE],
        leaves: [0.0028, -0.1071, -0.2458, -0.0407, 0.1297, -0.0038, -0.0555, 0.0335, -0.1823, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    },
    Tree {
        splits: [split(1, 0.35), split(0, 10.11), split(0, 9.32), split(0, 8.43), NONE, split(2, 2.5), split(2, 1.5), split(2, 1.5), split(2, 2.5), NONE, NONE, split(0, 8.04), NONE, split(1, 1.7), split(0, 10.54)],
        leaves: [-0.0015, -0.1324, 0.1021, -0.0023, 0.2586, 0.0, 0.0, 0.0, -0.213, -0.0473, -0.2363, 0.0, 0.1941, -0.1405, -0.0746, 0.0244],
    },
    Tree {
        splits: [split(1, 2.01), split(0, 9.84), split(0, 11.51), split(1, 0.35), split(2, 3.5), NONE, split(11, 1.5), split(11, 0.5), split(2, 3.5), split(1, 1.24), split(0, 10.11), NONE, NONE, split(11, 0.5), split(12, 0.5)],
        leaves: [-0.0157, 0.0271, -0.0446, -0.2168, 0.0709, 0.257, -0.1142, 0.0307, -0.2452, 0.0, 0.0, 0.0, 0.0353, -0.1582, -0.0578, 0.1095],
    },
    Tree {
        splits: [split(2, 11.5), split(15, 0.5), NONE, split(3, 0.5), split(0, 7.82), NONE, NONE, split(0, 8.85), split(1, 0.9), NONE, split(1, 1.7), NONE, NONE, NONE, NONE],
        leaves: [-0.0228, 0.016, 0.0274, 0.1913, -0.1638, 0.0, -0.0014, -0.1615, -0.0994, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    },
    Tree {
        splits: [split(1, 0.35), split(0, 9.64), split(0, 8.85), split(2, 2.5), split(2, 3.5), NONE, split(6, 0.5), split(0, 9.18), split(2, 3.5), split(10, 0.5), split(0, 10.11), NONE, NONE, split(4, 0.35), split(4, 0.0)],
        leaves: [0.0098, 0.163, -0.1292, 0.0322, 0.4738, -0.1044, -0.0214, 0.1898, -0.1139, 0.0, 0.0, 0.0, -0.0364, 0.0279, 0.0279, 0.1534],
    },
    Tree {
        splits: [split(1, 1.7), split(0, 11.17), split(0, 11.51), split(2, 8.5), split(2, 7.5), NONE, split(1, 3.02), split(1, 1.24), NONE, NONE, split(4, 0.0), NONE, NONE, split(2, 4.5), NONE],
        leaves: [-0.0023, 0.1169, -0.2073, 0.0, 0.2282, 0.0, -0.0875, 0.1378, -0.1789, 0.0, 0.0, 0.0, 0.0903, -0.0186, -0.1593, 0.0],
    },
    Tree {
        splits: [split(1, 0.35), split(0, 9.64), split(0, 8.04), split(14, 0.5), split(2, 3.5), NONE, split(8, 0.5), split(2, 1.5), split(0, 8.15), split(10, 0.5), split(0, 10.11), NONE, NONE, split(2, 1.5), split(0, 10.54)],
        leaves: [0.0126, -0.0491, 0.0354, 0.1499, 0.3892, -0.0905, -0.0146, 0.1658, -0.1838, 0.0, 0.0, 0.0, 0.0047, -0.0506, 0.0047, 0.1099],
    },
    Tree {
        splits: [split(1, 2.97), split(0, 11.51), NONE, split(1, 1.87), split(1, 1.24), NONE, NONE, split(2, 8.5), NONE, NONE, split(2, 4.5), NONE, NONE, NONE, NONE],
        leaves: [0.0035, -0.1815, -0.2006, 0.0, 0.182, 0.0, 0.1166, -0.0098, -0.1239, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    },
    Tree {
        splits: [split(15, 0.5), split(3, 0.5), split(11, 0.5), split(1, 0.9), split(12, 0.5), NONE, split(4, 0.0), split(10, 0.5), split(0, 9.84), NONE, NONE, NONE, NONE, NONE, split(0, 9.32)],
        leaves: [0.0185, -0.0679, -0.1355, -0.014, 0.0185, 0.0, 0.1132, 0.0, -0.097, 0.0, 0.0, 0.0, -0.055, 0.0, 0.001, 0.1405],
    },
    Tree {
        splits: [split(11, 0.5), split(0, 7.44), split(0, 7.71), split(13, 0.5), split(0, 8.04), split(6, 0.5), split(1, 2.35), split(8, 0.5), split(10, 0.5), NONE, split(10, 0.5), split(9, 1.24), split(0, 7.12), split(2, 1.5), split(11, 1.5)],
        leaves: [-0.1737, 0.0673, 0.1173, -0.1004, -0.1955, 0.0, -0.0384, 0.0946, -0.167, -0.0236, 0.1373, -0.0236, 0.0768, 0.0174, -0.1511, 0.0153],
    },
];
