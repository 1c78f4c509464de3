FROM astrocrpublic.azurecr.io/runtime:3.3-7-python-3.12
