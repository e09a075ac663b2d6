# Arguments: folder, year, lon, lat, month. Prints name = number.
suppressMessages(library(terra))
a <- commandArgs(TRUE)
map <- function(step, name) rast(sprintf("%s/tamflux_%s_%s.nc", a[1], step, a[2]), subds = name)
say <- function(name, value) cat(sprintf("%s = %.9g\n", name, value))

gpp <- map("monthly", "gpp")
stopifnot(is.lonlat(gpp), format(time(gpp)[1]) == sprintf("%s-01-01", a[2]))
say("west", xmin(gpp))
say("north", ymax(gpp))
say("gpp of a cell, July",
    extract(gpp[[as.integer(a[5])]], cbind(as.numeric(a[3]), as.numeric(a[4])))[1, 1])

nee <- map("annual", "nee")
land <- mask(map("annual", "cell_area") * map("annual", "land_fraction"), nee)
sum_of <- function(x) global(x, "sum", na.rm = TRUE)[1, 1]
say("mean nee over land", sum_of(nee * land) / sum_of(land))
