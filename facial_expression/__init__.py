"""Facial-expression recognition on FER2013: the parts that the pipeline's stages and the web application share."""
