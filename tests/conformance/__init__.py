"""The product in the tools of its users: `make conformance`.

`product` computes some numbers of a product with numpy, each tool (in `conventions`, `commands`,
`libraries`) computes them again in its own way, `tool` compares.
"""
