/*
 * The SVG of loadtest/plot.h. Called by report_plots.c; what lies outside of the frame is drawn on its edge.
 */
#include "loadtest/plot.h"

#include "loadtest/text.h"

#include <math.h>

/* The frame within the picture. */
enum { LEFT = 56, RIGHT = 30, TOP = 12, BOTTOM = 28, TICK_TEXT = 8, STEPS_WANTED = 8, Y_STEPS = 4 };

static double within(double value, double from, double to)
{
    return value < from ? from : value > to ? to : value;
}

static double x_of(const struct plot *plot, double x)
{
    double part = (within(x, plot->x_from, plot->x_to) - plot->x_from) / (plot->x_to - plot->x_from);
    return LEFT + part * (PLOT_WIDTH - LEFT - RIGHT);
}

static double y_of(const struct plot *plot, double y)
{
    double at = within(y, plot->y_from, plot->y_to), from = plot->y_from, to = plot->y_to;
    if (plot->y_log)
        at = log(at), from = log(from), to = log(to);
    return plot->height - BOTTOM - (at - from) / (to - from) * (plot->height - BOTTOM - TOP);
}

void plot_put_text(const char *text, FILE *out)
{
    for (; *text; text++) {
        const char *escaped = *text == '<'   ? "&lt;"
                              : *text == '>' ? "&gt;"
                              : *text == '&' ? "&amp;"
                              : *text == '"' ? "&quot;"
                                             : NULL;
        bool is_control = (unsigned char)*text < ' ' && *text != '\n' && *text != '\t';
        if (escaped)
            fputs(escaped, out);
        else
            fputc(is_control ? '?' : *text, out);
    }
}

void plot_open(struct plot *plot, const char *name, const char *title, const char *description)
{
    fprintf(plot->out,
            "<svg viewBox=\"0 0 %d %.0f\" role=\"img\" aria-labelledby=\"%s-title %s-text\">\n<title "
            "id=\"%s-title\">",
            PLOT_WIDTH, plot->height, name, name, name);
    plot_put_text(title, plot->out);
    fprintf(plot->out, "</title>\n<desc id=\"%s-text\">", name);
    plot_put_text(description, plot->out);
    fputs("</desc>\n", plot->out);
}

void plot_close(struct plot *plot)
{
    fputs("</svg>\n", plot->out);
}

/* --- axes --- */

/* The largest of 1, 2, 5, 10, 20, ... that is not above the value. */
static double round_down(double value)
{
    double decade = pow(10, floor(log10(value))), digit = value / decade;
    return decade * (digit >= 5 ? 5 : digit >= 2 ? 2 : 1);
}

/* The one that follows it. */
static double next_round(double round)
{
    double decade = pow(10, floor(log10(round) + 0.01)), digit = round / decade;
    return decade * (digit > 4 ? 10 : digit > 1.5 ? 5 : 2);
}

void plot_bounds_log(struct plot *plot, double least, double most)
{
    plot->y_log = true;
    plot->y_from = round_down(least < 1 ? 1 : least);
    plot->y_to = next_round(round_down(most < plot->y_from ? plot->y_from : most));
}

void plot_bounds_linear(struct plot *plot, double most)
{
    plot->y_log = false;
    plot->y_from = 0;
    plot->y_to = most < 1 ? 1 : next_round(round_down(most));
}

static void y_step(const struct plot *plot, double y, const char *text)
{
    double at = y_of(plot, y);
    fprintf(plot->out,
            "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/><text class=\"y\" x=\"%d\" "
            "y=\"%.1f\">%s"
            "</text>\n",
            LEFT, PLOT_WIDTH - RIGHT, at, at, LEFT - TICK_TEXT, at + 4, text);
}

/* Steps are round: their texts need no more digits than they have. */
static void put_duration(double us, char text_out[LOAD_TEXT_MAX])
{
    const char *unit = us >= 999999 ? "s" : us >= 999 ? "ms" : "us";
    snprintf(text_out, LOAD_TEXT_MAX, "%g%s", us / (us >= 999999 ? 1e6 : us >= 999 ? 1e3 : 1), unit);
}

/* Decades alone when there are many of them. */
static bool is_shown(const struct plot *plot, double step)
{
    double decade = pow(10, floor(log10(step) + 0.01));
    return plot->y_to / plot->y_from <= 1001 || step / decade < 1.5;
}

static void y_axis_log(const struct plot *plot)
{
    char text[LOAD_TEXT_MAX];
    for (double y = plot->y_from; y < plot->y_to * 1.001; y = next_round(y)) {
        put_duration(y, text);
        if (is_shown(plot, y))
            y_step(plot, y, text);
    }
}

void plot_y_axis(const struct plot *plot)
{
    char text[LOAD_TEXT_MAX];
    if (plot->y_log) {
        y_axis_log(plot);
        return;
    }
    for (unsigned i = 0; i <= Y_STEPS; i++) {
        double y = plot->y_to * i / Y_STEPS;
        snprintf(text, sizeof text, "%g", y);
        y_step(plot, y, text);
    }
}

void plot_x_step(const struct plot *plot, double x, const char *text)
{
    double at = x_of(plot, x);
    fprintf(
        plot->out,
        "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%.0f\"/><text class=\"x\" x=\"%.1f\" "
        "y=\"%.0f\">%s</text>\n",
        at, at, TOP, plot->height - BOTTOM, at, plot->height - BOTTOM + 18, text);
}

void plot_x_axis_seconds(const struct plot *plot)
{
    char text[LOAD_TEXT_MAX];
    double span = plot->x_to - plot->x_from, step = round_down(span / STEPS_WANTED);
    while (span / step > STEPS_WANTED + 2)
        step = next_round(step);
    for (double x = plot->x_from; x < plot->x_to + step / 100; x += step) {
        snprintf(text, sizeof text, "%.*f s", step < 0.1 ? 2 : step < 1 ? 1 : 0, x);
        plot_x_step(plot, x, text);
    }
}

/* --- what is in the frame --- */

void plot_mark(const struct plot *plot, double x, const char *class, const char *text)
{
    double at = x_of(plot, x);
    fprintf(plot->out, "<line class=\"%s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%.0f\"><title>", class, at,
            at, TOP, plot->height - BOTTOM);
    plot_put_text(text, plot->out);
    fputs("</title></line>\n", plot->out);
}

void plot_bar(const struct plot *plot, double x_from, double x_to, double y, const char *class)
{
    double left = x_of(plot, x_from), top = y_of(plot, y), bottom = y_of(plot, 0);
    if (bottom - top < 0.05)
        return;
    fprintf(plot->out, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n", class,
            left, top, x_of(plot, x_to) - left, bottom - top);
}

/* A point that has no neighbour is a line of no length, which its round ends make a dot. */
void plot_line(const struct plot *plot, const double *xs, const double *ys, unsigned count, const char *class)
{
    bool in_line = false;
    fprintf(plot->out, "<path class=\"%s\" d=\"", class);
    for (unsigned i = 0; i < count; i++) {
        if (isfinite(ys[i]))
            fprintf(plot->out, "%s%.1f %.1f%s", in_line ? "L" : "M", x_of(plot, xs[i]), y_of(plot, ys[i]),
                    in_line ? "" : "h0");
        in_line = isfinite(ys[i]) != 0;
    }
    fputs("\"/>\n", plot->out);
}
