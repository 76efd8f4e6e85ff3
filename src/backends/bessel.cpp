// SPDX-License-Identifier: Apache-2.0
// Bessel functions of order 0 and 1, and Airy's function left of its turning point. Source of the
// approximations: Moshier, "Methods and programs for mathematical functions" (1989). PyTorch leaves
// out the leading term, 1, of the denominators that are given without it, so its values are off by
// up to 7e-7 (3e-6 for Airy's) around the ends of the ranges; its answers are the specification.
// They are computed in the dtype of the argument, as there: far out a float has few digits of
// phase.
#include <cmath>
#include <cstddef>
#include <limits>

#include "backends/special_math.h"

namespace sconce::special {

namespace {

constexpr double kAiryFN[] = {
    -0.1316963234183318,    -0.6264565444319123,    -0.6931580360369335,
    -0.2797799815451191,    -0.04919001326095003,   -0.004062659235948854,
    -0.0001592764962392621, -2.776491081552329e-06, -1.6778769848911465e-08};
constexpr double kAiryFD[] = {13.356042070655324,   32.682503279522464,    26.736704094149957,
                              9.187074029072596,    1.4752914677166642,    0.11568717379518804,
                              0.004402916416152112, 7.547203482874142e-05, 4.5185009297058035e-07};
constexpr double kAiryGN[] = {0.01973399320916857,   0.39110302961568827,  1.0657989759959559,
                              0.9391692298166502,    0.35146565610554764,  0.06338889196289255,
                              0.005858041130483885,  0.000282851600836737, 6.98793669997261e-06,
                              8.117892395543892e-08, 3.415517847659236e-10};
constexpr double kAiryGD[] = {9.30892908077442,     19.835292871831214,     15.564662893286462,
                              5.476860694229755,    0.9542936116189619,     0.08645808263523921,
                              0.004126565238242226, 0.00010125908511650914, 1.1716673321441352e-06,
                              4.9183457006293e-09};
constexpr double kJ0RP[] = {-4794432209.782018, 1956174919465.5657, -249248344360967.72,
                            9708622510473064.0};
constexpr double kJ0RQ[] = {499.563147152651,       173785.4016763747,     48440965.83399621,
                            11185553704.535683,     2112775201154.892,     310518229857422.56,
                            3.1812195594320496e+16, 1.7108629408104315e+18};
constexpr double kJ0PP[] = {0.0007969367292973471,
                            0.08283523921074408,
                            1.239533716464143,
                            5.447250030587687,
                            8.74716500199817,
                            5.303240382353949,
                            1.0};
constexpr double kJ0PQ[] = {0.0009244088105588637,
                            0.08562884743544745,
                            1.2535274390105895,
                            5.470977403304171,
                            8.761908832370695,
                            5.306052882353947,
                            1.0};
constexpr double kJ0QP[] = {-0.011366383889846916, -1.2825271867050931, -19.553954425773597,
                            -93.20601521237683,    -177.68116798048806, -147.07750515495118,
                            -51.41053267665993,    -6.050143506007285};
constexpr double kJ0QQ[] = {64.3178256118178,  856.4300259769806, 3882.4018360540163,
                            7240.467741956525, 5930.727011873169, 2062.0933166032783,
                            242.0057402402914};
constexpr double kJ0YP[] = {15592.436785523574,     -14663929.59039716,     5435264770.518765,
                            -982136065717.9115,     87590639439536.7,       -3466283033847297.0,
                            4.4273326857256984e+16, -1.8495080043698668e+16};
constexpr double kJ0YQ[] = {1041.2835366425984,    626107.330137135,   268919633.39381415,
                            86400248710.3935,      20297961275010.555, 3171577528429750.5,
                            2.5059625617265306e+17};
constexpr double kJ1RP[] = {-899971225.7055594, 452228297998.19403, -72749424522181.83,
                            3682957328638529.0};
constexpr double kJ1RQ[] = {620.8364781180543,     256987.25675774884,   83514679.14319493,
                            22151159547.97925,     4749141220799.914,    784369607876235.9,
                            8.952223361846274e+16, 5.322786203326801e+18};
constexpr double kJ1PP[] = {0.0007621256162081731,
                            0.07313970569409176,
                            1.1271960812968493,
                            5.112079511468076,
                            8.424045901417724,
                            5.214515986823615,
                            1.0};
constexpr double kJ1PQ[] = {0.0005713231280725487,
                            0.06884559087544954,
                            1.105142326340617,
                            5.073863861286015,
                            8.399855543276042,
                            5.209828486823619,
                            1.0};
constexpr double kJ1QP[] = {0.05108625947501766, 4.982138729512334, 75.82382841325453,
                            366.7796093601508,   710.8563049989261, 597.4896124006136,
                            211.68875710057213,  25.207020585802372};
constexpr double kJ1QQ[] = {74.23732770356752, 1056.4488603826283, 4986.410583376536,
                            9562.318924047562, 7997.041604473507,  2826.1927851763908,
                            336.0936078106983};
constexpr double kJ1YP[] = {1263204747.9017804,  -647355876379.1603,    114509511541823.73,
                            -8127702555013251.0, 2.024394757135949e+17, -7.788771962659501e+17};
constexpr double kJ1YQ[] = {594.3015923461282,     235564.09294306856,    73481194.44597217,
                            18760131610.870617,    3882312774962.3857,    620557727146953.8,
                            6.871410873553005e+16, 3.9727060811656064e+18};

template <class T, size_t N>
T polynomial(const double (&c)[N], T x) {
  T s = 0;
  for (double k : c) s = s * x + static_cast<T>(k);
  return s;
}
template <class T, size_t N, size_t M>
T ratio(const double (&p)[N], const double (&q)[M], T x) {
  return polynomial(p, x) / polynomial(q, x);
}
template <class T>
constexpr T kNan = std::numeric_limits<T>::quiet_NaN();
template <class T>
constexpr T kInf = std::numeric_limits<T>::infinity();
template <class T>
constexpr T kPi = T(3.14159265358979323846);
template <class T>
constexpr T kTwoOverPi = T(0.63661977236758134308);
template <class T>
constexpr T kRootTwoOverPi = T(0.79788456080286535588);
// Up to here the series, from here the asymptotic form.
constexpr int kFar = 5;

// x > kFar: modulus and phase of the wave; second: the function of the second kind.
template <class T>
T wave(T x, T p, T q, T phase, bool second) {
  const T w = T(kFar) / x;
  const T v = second ? p * std::sin(phase) + w * q * std::cos(phase)
                     : p * std::cos(phase) - w * q * std::sin(phase);
  return v * kRootTwoOverPi<T> / std::sqrt(x);
}
template <class T>
T far_order_0(T x, bool second) {
  const T z = T(25) / (x * x);
  return wave(x, ratio(kJ0PP, kJ0PQ, z), ratio(kJ0QP, kJ0QQ, z), x - kPi<T> / T(4), second);
}
template <class T>
T far_order_1(T x, bool second) {
  const T w = T(kFar) / x, z = w * w;
  return wave(x, ratio(kJ1PP, kJ1PQ, z), ratio(kJ1QP, kJ1QQ, z), x - T(3) * kPi<T> / T(4), second);
}

template <class T>
T j0_of(T x) {
  if (std::isinf(x)) return kNan<T>;
  x = std::fabs(x);
  if (x > T(kFar)) return far_order_0(x, false);
  const T z = x * x;
  if (x < T(0.00001)) return T(1) - z / T(4);
  return (z - T(5.78318596294678452118)) * (z - T(30.4712623436620863991)) * ratio(kJ0RP, kJ0RQ, z);
}
template <class T>
T y0_of(T x) {
  if (x == T(0)) return -kInf<T>;
  if (!(x > T(0)) || std::isinf(x)) return kNan<T>;
  if (x > T(kFar)) return far_order_0(x, true);
  return ratio(kJ0YP, kJ0YQ, x * x) + kTwoOverPi<T> * std::log(x) * j0_of(x);
}
template <class T>
T j1_of(T x) {
  if (std::isinf(x)) return kNan<T>;
  if (x < T(0)) return -j1_of(-x);
  if (x > T(kFar)) return far_order_1(x, false);
  const T z = x * x;
  return ratio(kJ1RP, kJ1RQ, z) * x * (z - T(14.6819706421238932572)) *
         (z - T(49.2184563216946036703));
}
template <class T>
T y1_of(T x) {
  if (x == T(0)) return -kInf<T>;
  if (!(x > T(0)) || std::isinf(x)) return kNan<T>;
  if (x > T(kFar)) return far_order_1(x, true);
  return x * ratio(kJ1YP, kJ1YQ, x * x) + kTwoOverPi<T> * (j1_of(x) * std::log(x) - T(1) / x);
}

}  // namespace

double bessel_j0(double x) { return j0_of(x); }
float bessel_j0(float x) { return j0_of(x); }
double bessel_j1(double x) { return j1_of(x); }
float bessel_j1(float x) { return j1_of(x); }
double bessel_y0(double x) { return y0_of(x); }
float bessel_y0(float x) { return y0_of(x); }
double bessel_y1(double x) { return y1_of(x); }
float bessel_y1(float x) { return y1_of(x); }

namespace {
template <class T>
T airy_left(T x) {
  const T zeta = T(-2) * x * std::sqrt(-x) / T(3), z = T(1) / zeta, zz = z * z;
  const T f = T(1) + zz * ratio(kAiryFN, kAiryFD, zz), g = z * ratio(kAiryGN, kAiryGD, zz);
  const T phase = zeta + T(0.25) * kPi<T>;
  return T(0.564189583547756286948) / std::sqrt(std::sqrt(-x)) *
         (std::sin(phase) * f - std::cos(phase) * g);
}
template <class T>
T airy_of(T x) {
  if (x < T(-2.09) && !std::isinf(x)) return airy_left(x);
  return static_cast<T>(airy_ai_right(static_cast<double>(x)));
}
}  // namespace

double airy_ai(double x) { return airy_of(x); }
float airy_ai(float x) { return airy_of(x); }

}  // namespace sconce::special
