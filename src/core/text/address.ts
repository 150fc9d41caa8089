/** Whether a path of a dataset is an address: on the web, or in an object store. */
export const isAddress = (path: string): boolean => /^(https?|s3):\/\//i.test(path)
