"""The report: one page that shows the evidence, made from what the other stages wrote."""
