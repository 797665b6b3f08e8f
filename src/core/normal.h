/* normal.h -- the normal distribution: its share below z, and back.  Floor 0. */
#ifndef TL_CORE_NORMAL_H
#define TL_CORE_NORMAL_H

double tl_normal_cdf(double z);
double tl_normal_quantile(double p); /* infinite at 0 and 1, NaN outside */
#endif
