// SPDX-License-Identifier: BSD-3-Clause
// Zipf by rejection-inversion (Hoermann, Derflinger 1996): no table that would compete for the
// cache with the code measured.
#include <traffic/distribution.h>

#include <math.h>

static double h_integral(const struct bench_distribution *p, double x)
{
	return pow(x, 1 - p->s) / (1 - p->s);
}

static double h_inverse(const struct bench_distribution *p, double y)
{
	return pow((1 - p->s) * y, 1 / (1 - p->s));
}

static uint32_t gcd(uint32_t a, uint32_t b)
{
	while (b != 0) {
		uint32_t r = a % b;

		a = b;
		b = r;
	}
	return a;
}

void bench_distribution_init(struct bench_distribution *p, uint32_t n, double s, uint64_t seed)
{
	*p = (struct bench_distribution){.state = seed * 0x9e3779b97f4a7c15ull + 1, .n = n, .s = s};
	if (s > 0.9999 && s < 1.0001)
		p->s = 1.0001;
	p->stride = (uint32_t)(n * 0.618034) | 1;
	while (gcd(p->stride, n) != 1)
		p->stride += 2;
	if (p->s > 0) {
		p->low = h_integral(p, 1.5) - 1;
		p->high = h_integral(p, n + 0.5);
		p->shift = 2 - h_inverse(p, h_integral(p, 2.5) - pow(2, -p->s));
	}
}

uint32_t bench_distribution_zipf(struct bench_distribution *p)
{
	for (;;) {
		double u = p->high + (double)(bench_distribution_random(p) >> 11) * 0x1p-53 *
					     (p->low - p->high);
		double x = h_inverse(p, u);
		double k = floor(x + 0.5);

		if (k < 1)
			k = 1;
		else if (k > p->n)
			k = p->n;
		if (k - x <= p->shift || u >= h_integral(p, k + 0.5) - pow(k, -p->s))
			return (uint32_t)((uint64_t)((uint32_t)k - 1) * p->stride % p->n);
	}
}
