"""The review app: people correct what a labeler said, and the corrections train the next one.

It meets the other stages in files: reports and ``predictions.jsonl`` come in, what ``build`` and
``eval`` read goes out. No model is loaded here.
"""
