"""Decode one JPEG or JPEG-LS stream with gdcm, as a script in a process of its own.

On damaged data gdcm does not raise, it ends the process: a broken upload must not take the dashboard with it.
Arguments: rows, columns, samples a pixel, bits a sample, signed (0 or 1), photometric interpretation, transfer syntax.
The stream comes by standard input; the samples, 8 or 16 bit in native order, leave by standard output.
"""

import sys

import gdcm


def main() -> None:
    rows, columns, samples, bits, signed = (int(argument) for argument in sys.argv[1:6])
    photometric, syntax = sys.argv[6:8]
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(sys.stdin.buffer.read())
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())

    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((columns, rows, 1))
    image.SetDataElement(element)
    image.SetPhotometricInterpretation(
        gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.GetPIType(photometric))
    )
    if samples > 1:
        image.SetPlanarConfiguration(0)
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
    image.SetPixelFormat(gdcm.PixelFormat(samples, 8 if bits <= 8 else 16, bits, bits - 1, signed))
    # gdcm hands its buffer over as text
    sys.stdout.buffer.write(image.GetBuffer().encode("utf-8", "surrogateescape"))


if __name__ == "__main__":
    main()
