"""What goes with an exported network: a program of one file that reads cases and paints answers without mrfusion."""
