/** uPlot, which a script element loads. */
declare const uPlot: any;
