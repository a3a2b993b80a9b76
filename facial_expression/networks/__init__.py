"""The three networks of the study, ResNet-10, from which ResNet-34 grows, and a narrow pre-activation network.

Each module has one ``build(classes, size)`` that returns a Keras model; the ResNets also take ``stem_pool``.

Every network takes gray levels from 0 to 255, shape (N, size, size, 1), scales them to [0, 1] itself, and returns
probabilities, shape (N, classes). So scaling cannot differ between training and serving.
"""
