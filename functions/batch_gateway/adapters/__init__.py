"""One module per outside system, one SDK each.

``memory`` has those of Firestore and Cloud Storage without any.
"""
