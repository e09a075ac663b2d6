# Arguments: folder, year, lon, lat, month. Prints name = number.
library(ncdf4)
a <- commandArgs(TRUE)
at <- function(step) nc_open(sprintf("%s/tamflux_%s_%s.nc", a[1], step, a[2]))
say <- function(name, value) cat(sprintf("%s = %.9g\n", name, value))

file <- at("monthly")
col <- which.min(abs(ncvar_get(file, "lon") - as.numeric(a[3])))
row <- which.min(abs(ncvar_get(file, "lat") - as.numeric(a[4])))
say("gpp of a cell, July", ncvar_get(file, "gpp")[col, row, as.integer(a[5])])

file <- at("annual")
nee <- ncvar_get(file, "nee")
land <- ncvar_get(file, "cell_area") * ncvar_get(file, "land_fraction")
say("mean nee over land", weighted.mean(nee, land, na.rm = TRUE))
say("cells over land", sum(!is.na(nee)))
