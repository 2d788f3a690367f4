"""Reading gold and predictions, whatever the kind: ids, patients, columns, manifests."""
