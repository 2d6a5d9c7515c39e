"""The laws of `rnnexp.theory` that a run compares with its measurements, each with its source."""

from rnnexp.diagnosis.comparison import EXPONENT, RATE, RATE_KERNELS, RATE_RMS, RATIO, Law

_WIDE = "wide layer, independent weights"

MEAN_FIELD = Law(
    RATE_RMS,
    "mean field",
    "1/2 ln(sigma_w^2 E phi'(sqrt(q) z)^2), q from the variances of weights and inputs",
    f"{_WIDE}, Gaussian pre-activations of settled variance",
    "https://arxiv.org/abs/1806.05394",
    "theory/rate",
    "term",
    "mean_field",
)
OVER_KERNELS = MEAN_FIELD._replace(quantity=RATE_KERNELS, metric="", kind="prediction")
AT_VARIANCE = Law(
    RATE_RMS,
    "at measured q",
    "mean_t 1/2 ln(sigma_w^2 E phi'(sqrt(q_t) z)^2), q_t = mean a_t^2",
    f"{_WIDE}, Gaussian pre-activations",
    "https://arxiv.org/abs/1611.01232",
    "theory/rate_measured_q",
    "term",
    "measured_statistics",
)
OF_SLOPES = Law(
    RATE_RMS,
    "from measured slopes",
    "slope of 1/2 ln mean_b prod_s sigma_w^2 mean_i phi'(a_s)^2",
    _WIDE,
    "https://arxiv.org/abs/1611.01232",
    "theory/rate_measured_slopes",
    "term",
    "measured_statistics",
)
CLOSURE = Law(
    RATE_RMS,
    "this kernel (closure)",
    "slope of 1/2 ln tr M_t, M_{t-1} = W (mean_b s_t s_t^T o M_t) W^T, s = phi'(a)",
    "slopes and gradients independent over samples, at every step",
    "https://arxiv.org/abs/1611.01232",
    "theory/rate_closure",
    module="closure",
)
DECOUPLED = Law(
    RATE_RMS,
    "units that do not mix",
    "slope of 1/2 ln mean_bi prod_s (g phi'(a_s))^2",
    "W_hh = g I, or diagonal",
    "https://arxiv.org/abs/1504.00941",
    module="diagonal_kernel",
)
BOUND = Law(
    RATE,
    "upper bound",
    "rate <= ln(sigma_max sup |phi'|)",
    "a loss at the last scored step",
    "https://arxiv.org/abs/1211.5063",
    "theory/rate_bound",
    "upper bound",
    module="bounds",
)
EXPONENT_OF_SLOPES = Law(
    EXPONENT,
    "from measured slopes",
    "mean_bt ln(sigma_w sqrt(mean_i phi'(a_t)^2))",
    _WIDE,
    "https://arxiv.org/abs/2610.12426",
    "theory/lambda_1",
    module="measured_statistics",
)
DECOUPLED_EXPONENT = Law(
    EXPONENT,
    "units that do not mix",
    "mean_b 1/2 ln(mean_i P_T^2 / mean_i P_w^2) / (T-w), P_t = prod_s<=t g phi'(a_s)",
    "W_hh = g I, or diagonal",
    "https://arxiv.org/abs/1504.00941",
    module="diagonal_kernel",
)
SPECTRAL_RADIUS = Law(
    RATE,
    "ln spectral radius",
    "ln max |eigenvalue of W_hh|",
    "activation=linear, T-1 > 2 sqrt(H)",
    "https://arxiv.org/abs/1211.5063",
    module="linear",
)
SPECTRAL_RADIUS_EXPONENT = SPECTRAL_RADIUS._replace(quantity=EXPONENT)
GLOROT = Law(
    RATIO,
    "Glorot growth",
    "log10 sqrt(E ||W^(T-1) v||^2 / ||v||^2), E over kernels",
    "activation=linear, independent entries, untrained, T-1 <= 2 sqrt(H)",
    "https://arxiv.org/abs/2505.19827",
    module="linear",
)


METRICS = tuple(
    law.metric for law in (MEAN_FIELD, AT_VARIANCE, OF_SLOPES, CLOSURE, BOUND, EXPONENT_OF_SLOPES)
)
"""The keys of the laws whose values are metrics."""
