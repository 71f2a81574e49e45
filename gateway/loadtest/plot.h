/*
 * Plots as inline SVG: a frame with axes whose steps are round numbers, and lines and bars in it. Colours
 * come from the page's style, by the class names that the caller gives. Knows numbers, not what they mean.
 */
#ifndef PORTICO_LOADTEST_PLOT_H
#define PORTICO_LOADTEST_PLOT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Width of every plot; the page scales it. */
enum { PLOT_WIDTH = 860 };

/* A plot in the making. */
struct plot {
    FILE *out;
    double height;       /* of the whole picture */
    double x_from, x_to; /* what the frame's sides stand for */
    double y_from, y_to; /* its lower and upper edge; both above 0 when logarithmic */
    bool y_log;
};

/* Begins the picture. `name` is unique on the page; title and description are read by screen readers. */
void plot_open(struct plot *plot, const char *name, const char *title, const char *description);

/* Ends it. */
void plot_close(struct plot *plot);

/* Round bounds around positive values, for a logarithmic axis of durations. */
void plot_bounds_log(struct plot *plot, double least, double most);

/* A round bound above the value, for an axis from 0. */
void plot_bounds_linear(struct plot *plot, double most);

/* The y axis: durations in microseconds when logarithmic, else numbers. */
void plot_y_axis(const struct plot *plot);

/* The x axis in seconds. */
void plot_x_axis_seconds(const struct plot *plot);

/* A step of the x axis, with its text. */
void plot_x_step(const struct plot *plot, double x, const char *text);

/* A vertical line with a tooltip. */
void plot_mark(const struct plot *plot, double x, const char *class, const char *text);

/* A bar from 0 to y. */
void plot_bar(const struct plot *plot, double x_from, double x_to, double y, const char *class);

/* A line through points; what is not finite interrupts it. */
void plot_line(const struct plot *plot, const double *xs, const double *ys, unsigned count,
               const char *class);

/* Text in HTML, with what would be markup escaped. */
void plot_put_text(const char *text, FILE *out);

#endif
