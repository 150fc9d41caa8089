/** A volume of side³ blocks that read some of their neighbours' output, so that neighbours may not run together. */
export const planVolume = ({ side }: { readonly side: number }) =>
  ({
    totalRoi: { offset: [0, 0, 0], shape: [side * 64, side * 64, side * 64] },
    readRoi: { offset: [-8, -8, -8], shape: [80, 80, 80] },
    writeRoi: { offset: [0, 0, 0], shape: [64, 64, 64] },
    fit: 'shrink',
  }) as const
