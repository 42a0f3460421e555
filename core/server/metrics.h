/*
 * metrics: all numbers as Prometheus reads them (text format 0.0.4).
 *
 * One family after the other, each with HELP and TYPE; times in seconds; histograms with a bound per
 * doubling from 256 us to 67 s. What never happened (a route without a request) has no histogram.
 */
#ifndef MG_SERVER_METRICS_H
#define MG_SERVER_METRICS_H

#include "server/page.h"
#include "server/survey.h"

typedef struct mg_master mg_master;

void mg_metrics_write(const mg_master *m, const mg_survey *s, mg_page *to);

#endif
