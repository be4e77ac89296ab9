"""Results that were made outside of mrfusion: tables and folders of predictions, brought to the judge."""
